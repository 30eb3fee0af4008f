import { NeuralHiveError } from '@neural-hive/security/common';

export type InfraErrorCode = 'tool_missing' | 'tool_failed' | 'render_failed' | 'not_yaml';

/** A check cannot do its work. The message is what to do, or what the tool said. */
export class InfraError extends NeuralHiveError<InfraErrorCode> {}

import type { ExecutionTicket, TaskType } from '@neural-hive/contracts';
import type { Secret } from '@neural-hive/security/common';
import type { Executed } from './execution-result.ts';
import type { ExecutionSettings } from './execution-settings.ts';

export interface Execution {
  readonly ticket: ExecutionTicket;
  readonly fencing: number;
  /** Unique among all attempts, usable as a file name. */
  readonly attemptId: string;
  readonly settings: ExecutionSettings;
  /** What Vault holds for this task type, read anew. Nobody keeps it longer than the attempt. */
  readonly credentials: () => Promise<Secret<Readonly<Record<string, unknown>>>>;
  /** How long the attempt may take. In milliseconds. */
  readonly timeoutMs: number;
  /** Aborted when the ticket is no longer this worker's to execute. */
  readonly signal: AbortSignal;
}

/** Does the work of one task type. Rejects with a `TicketFailure`; never claims a success that it did not see. */
export interface Executor {
  readonly type: TaskType;
  execute(execution: Execution): Promise<Executed>;
}

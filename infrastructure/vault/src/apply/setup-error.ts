import { NeuralHiveError } from '@neural-hive/security/common';

export type SetupErrorCode =
  /** Something else than the setup wants is mounted at a path; nothing is taken away to make room. */
  'mount_conflict';

export class SetupError extends NeuralHiveError<SetupErrorCode> {}

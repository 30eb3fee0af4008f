import { NeuralHiveError } from '@neural-hive/security/common';

export type AuthorityErrorCode =
  | 'production_refused'
  | 'remote_refused'
  | 'state_exposed'
  | 'state_unreadable'
  | 'state_in_use'
  | 'config_invalid';

/** Why the authority does not start. */
export class AuthorityError extends NeuralHiveError<AuthorityErrorCode> {}

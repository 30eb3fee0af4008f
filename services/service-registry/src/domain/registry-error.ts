import { NeuralHiveError } from '@neural-hive/security/common';

/**
 * - `invalid`: the request breaks a rule that its sender can read in the message
 * - `unknown_agent`: there is no agent with this id; register again
 * - `not_yours`: the agent belongs to another identity
 * - `too_many`: a limit of the registry is reached
 * - `revision_lost`: the changes after this revision are not kept any more, or were never made
 * - `store_failed`: the change could not be made durable; try again
 */
export type RegistryErrorCode =
  | 'invalid'
  | 'unknown_agent'
  | 'not_yours'
  | 'too_many'
  | 'revision_lost'
  | 'store_failed';

/** The registry refuses a request. */
export class RegistryError extends NeuralHiveError<RegistryErrorCode> {
  constructor(code: RegistryErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(code, message, { retryable: code === 'store_failed', ...options });
  }
}

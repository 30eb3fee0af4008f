import { NeuralHiveError } from '@neural-hive/security/common';

export type TicketClaimErrorCode =
  /** No answer, or one that says to come again. */
  | 'unavailable'
  /** The orchestrator does not take requests of this worker. */
  | 'refused'
  /** The answer is none of the contract. */
  | 'bad-answer';

/**
 * Asking the orchestrator about a ticket failed. Retryable whatever the code: a worker that is refused today is not
 * tomorrow, and a ticket is never dropped because nobody could say whose it is.
 */
export class TicketClaimError extends NeuralHiveError<TicketClaimErrorCode> {
  constructor(code: TicketClaimErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, { ...options, retryable: true });
  }
}

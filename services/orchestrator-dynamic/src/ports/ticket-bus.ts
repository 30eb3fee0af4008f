import type { ConsolidatedDecision, ExecutionTicket } from '@neural-hive/contracts';
import { NeuralHiveError } from '@neural-hive/security/common';
import type { DeadLetter } from '../domain/dead-letter.ts';

export type TicketBusErrorCode =
  /** The message is larger than the bus carries: the same one never fits. */
  | 'too-large'
  /** Not acknowledged; it may lie there all the same. */
  | 'not-acknowledged'
  /** The bus is closed. */
  | 'closed';

/** A message could not be laid on the bus. Only `not-acknowledged` is worth another try. */
export class TicketBusError extends NeuralHiveError<TicketBusErrorCode> {}

/** Carries tickets to the workers. */
export interface TicketBus {
  /**
   * Resolves when the ticket is durable. A ticket that is published twice is worked on once: the second is claimed in vain.
   * `rankMs`: among tickets of one priority the lowest comes first. Default: the one with the earliest deadline.
   * @throws TicketBusError
   */
  publish(ticket: ExecutionTicket, options?: { readonly rankMs?: number }): Promise<void>;
  /** Lays a ticket that was given up where people look. @throws TicketBusError */
  bury(letter: DeadLetter): Promise<void>;
}

/**
 * Takes what arrives. A message is done with when the handler resolves, and comes again after any error but
 * `RefusedMessageError`; it may come twice at any time.
 */
export interface BusHandlers {
  /** `result` is an `ExecutionResult` as far as its sender is right: what is wrong in it fails the attempt. */
  result(ticketId: string, planId: string, fencingToken: number, result: unknown): Promise<void>;
  decision(decision: ConsolidatedDecision): Promise<void>;
}

/** The message will never be taken, however often it comes: it goes to the dead letters with this reason. */
export class RefusedMessageError extends Error {
  override readonly name = 'RefusedMessageError';
}

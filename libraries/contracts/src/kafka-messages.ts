import { z } from 'zod';
import { errorClass } from './result.ts';
import { epochMs, identifier, taskType } from './ticket.ts';
import { fencingToken } from './ticket-api.ts';

/**
 * What of a message on `execution.results` has to be readable, so that its plan can be told: the message is an
 * `ExecutionResult`, and one that is wrong elsewhere fails its attempt. The key of the message is the ticket id.
 */
export const resultAddress = z.looseObject({
  ticket_id: identifier,
  plan_id: identifier,
  fencing_token: fencingToken,
  schema_version: z.literal(1).default(1),
});
export type ResultAddress = z.infer<typeof resultAddress>;

/** What of a message on `execution.tickets.<type>` has to be readable, so that it can be answered as unreadable. */
export const ticketAddress = z.looseObject({
  ticket_id: identifier,
  plan_id: identifier,
  retry_count: z.int().nonnegative().default(0),
});
export type TicketAddress = z.infer<typeof ticketAddress>;

export const UNREADABLE_REASONS = [
  /** Larger than the reader takes. */
  'too-large',
  /** Not UTF-8, not JSON, or nested too deeply. */
  'not-json',
  /** Of a schema that the reader does not know. */
  'unknown-schema-version',
  /** JSON, and not what the topic carries. */
  'wrong-shape',
  /** The consumer of its content will never take it. */
  'refused',
] as const;
export const unreadableReason = z.enum(UNREADABLE_REASONS);
export type UnreadableReason = z.infer<typeof unreadableReason>;

/** Where a message lay. Offsets are 64 bits and travel as text. */
export const kafkaCoordinates = z.strictObject({
  topic: z.string().min(1).max(249),
  partition: z.int().nonnegative(),
  offset: z.string().regex(/^\d{1,19}$/),
  /** When it was written. */
  timestamp: epochMs,
});
export type KafkaCoordinates = z.infer<typeof kafkaCoordinates>;

/** A message that its reader could not use, as it lies in a dead-letter topic. */
export const unreadableMessage = z.strictObject({
  kind: z.literal('unreadable'),
  reason: unreadableReason,
  /** Which rules it breaks; no part of its content. */
  problem: z.string().max(8192),
  source: kafkaCoordinates,
  key: z.string().max(1024).nullable(),
  /** Of the value as it was. */
  bytes: z.int().nonnegative(),
  /** Hexadecimal, of the value as it was. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** The value as it was, in base64; null when it is too large to be kept here. */
  value: z.string().max(1_048_576).nullable(),
  moved_at: epochMs,
  /** The service that moved it. */
  moved_by: z.string().min(1).max(128),
  schema_version: z.literal(1).default(1),
});
export type UnreadableMessage = z.infer<typeof unreadableMessage>;

/** A ticket that was given up after every attempt it had, as it lies in `execution.tickets.dlq`. */
export const givenUpTicket = z.strictObject({
  kind: z.literal('given-up'),
  ticket_id: identifier,
  plan_id: identifier,
  task_id: identifier,
  task_type: taskType,
  /** The ticket that this one was to undo: what it did is still in place. */
  compensates: identifier.nullable(),
  error_class: errorClass,
  error_message: z.string().max(8192),
  error_logs: z.array(z.string().max(4096)).max(200),
  attempts: z.int().nonnegative(),
  /** Holders that went silent. */
  takeovers: z.int().nonnegative(),
  agent_id: z.string().min(1).max(128).nullable(),
  given_up_at: epochMs,
  schema_version: z.literal(1).default(1),
});
export type GivenUpTicket = z.infer<typeof givenUpTicket>;

/** What a dead-letter topic carries. */
export const deadMessage = z.discriminatedUnion('kind', [unreadableMessage, givenUpTicket]);
export type DeadMessage = z.infer<typeof deadMessage>;

/** A header of a ticket: among tickets of one priority the lowest comes first. Epoch milliseconds, as text. */
export const RANK_HEADER = 'neural-hive-rank-ms';

import { z } from 'zod';
import { executionTicket } from './ticket.ts';

/**
 * How long a holder may be silent before its ticket is somebody else's. In milliseconds; a worker stops an attempt that it
 * cannot keep alive some time before.
 */
export const CLAIM_SILENCE_MS = 3_500;

/**
 * Grows with every claim, over all tickets: what carries an older one than the newest counts for nothing, a result for its
 * ticket, a deployment for its target.
 */
export const fencingToken = z.int().positive();

/** Where the orchestrator answers, all by POST with a JSON body. */
export const TICKET_PATHS = {
  claim: (ticketId: string): string => pathOf(ticketId, 'claim'),
  heartbeat: (ticketId: string): string => pathOf(ticketId, 'heartbeat'),
  release: (ticketId: string): string => pathOf(ticketId, 'release'),
} as const;

function pathOf(ticketId: string, action: string): string {
  return `/v1/tickets/${encodeURIComponent(ticketId)}/${action}`;
}

export const claimRequest = z.strictObject({
  /** Names the process among the workers. */
  agent_id: z.string().min(1).max(128),
  /** Of the ticket as it was published: which attempt is asked for. */
  retry_count: executionTicket.shape.retry_count.unwrap(),
});
export type ClaimRequest = z.infer<typeof claimRequest>;

export const claimAnswer = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('granted'),
    fencing_token: fencingToken,
    /** How often the ticket was claimed, this time included. */
    attempt: z.int().positive(),
  }),
  /** Nobody will want this attempt again: finished, cancelled, or a later one was published. */
  z.object({ outcome: z.literal('gone') }),
  /** Another holder is alive, or the plan is paused: it is asked for again after the time, in milliseconds. */
  z.object({ outcome: z.literal('held'), retry_after_ms: z.int().nonnegative().max(3_600_000) }),
]);
export type ClaimAnswer = z.infer<typeof claimAnswer>;

/** Of a heartbeat and of a release. */
export const holderRequest = z.strictObject({ fencing_token: fencingToken });
export type HolderRequest = z.infer<typeof holderRequest>;

export const heartbeatAnswer = z.object({
  /** `cancelled`: nobody wants the result; `lost`: the token is not the newest any more, or the ticket was not held. */
  outcome: z.enum(['held', 'cancelled', 'lost']),
});
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswer>;

export const releaseAnswer = z.object({
  /** `released`: whoever claims it next has it at once. */
  outcome: z.enum(['released', 'lost']),
});
export type ReleaseAnswer = z.infer<typeof releaseAnswer>;

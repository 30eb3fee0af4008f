import type { ExecutionTicket, Priority } from '@neural-hive/contracts';
import { PRIORITIES } from '@neural-hive/contracts';

/** A ticket that this worker holds, under a token that no other attempt at any ticket has. */
export interface ClaimedTicket {
  readonly ticket: ExecutionTicket;
  readonly fencing: number;
  /** How often the ticket was claimed, this time included. */
  readonly attempt: number;
}

function rank(priority: Priority): number {
  return PRIORITIES.indexOf(priority);
}

/** More urgent first: by priority, then by deadline, then by age. */
export function byUrgency(
  { ticket: a }: Pick<ClaimedTicket, 'ticket'>,
  { ticket: b }: Pick<ClaimedTicket, 'ticket'>,
): number {
  return (
    rank(b.priority) - rank(a.priority) ||
    a.sla.deadline - b.sla.deadline ||
    a.created_at - b.created_at ||
    (a.ticket_id < b.ticket_id ? -1 : 1)
  );
}

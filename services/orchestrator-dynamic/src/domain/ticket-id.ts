import { sha256Hex } from './sha256.ts';

/** The id of a task's ticket: the same for the same plan and task, for ever. */
export function ticketIdOf(planId: string, taskId: string): string {
  return `tkt-${digest('task', planId, taskId)}`;
}

/** The id of the ticket that undoes another. */
export function compensationIdOf(ticketId: string): string {
  return `cmp-${digest('compensation', ticketId)}`;
}

/** The id of the decision that a direct submission is turned into. */
export function directDecisionIdOf(planId: string): string {
  return `dec-${digest('direct', planId)}`;
}

/** The id of the decision about a plan that runs again. */
export function retryDecisionIdOf(planId: string): string {
  return `dec-${digest('retry', planId)}`;
}

/** A share in [0, 1) that is always the same for the same key: jitter without a random source. */
export function shareOf(key: string): number {
  return Number.parseInt(sha256Hex(key).slice(0, 8), 16) / 2 ** 32;
}

/** Identifiers hold no NUL, so that joined parts cannot be confused. */
function digest(...parts: readonly string[]): string {
  return sha256Hex(parts.join('\0')).slice(0, 32);
}

import type { ErrorClass } from '@neural-hive/contracts';
import type { ExecutionPolicy } from './execution-policy.ts';
import { shareOf } from './ticket-id.ts';

/**
 * Whether another attempt may end otherwise. Wrong parameters stay wrong, a program that ran and said no says it
 * again, and an attempt that lost to a newer one must not come back.
 */
const WORTH_RETRYING: Readonly<Record<ErrorClass, boolean>> = {
  parameters: false,
  execution: false,
  fenced: false,
  timeout: true,
  backend: true,
  crash: true,
  // By the worker itself, as it went away: a ticket that was cancelled here has ended already.
  cancelled: true,
};

export function isWorthRetrying(errorClass: ErrorClass): boolean {
  return WORTH_RETRYING[errorClass];
}

/** The wait before retry `retry` (1 for the first): exponential, its upper half spread by ticket. */
export function retryDelayMs(policy: ExecutionPolicy, ticketId: string, retry: number): number {
  const fullMs = Math.min(policy.retryCapMs, policy.retryBaseMs * 2 ** Math.min(retry - 1, 30));
  return Math.round(fullMs * (0.5 + shareOf(`${ticketId}:${retry}`) / 2));
}

import type { Random } from './clock.ts';

export interface BackoffOptions {
  /** The mean of the first delay is half of this. In milliseconds. */
  readonly baseMs: number;
  /** No delay is longer. In milliseconds. */
  readonly capMs: number;
  readonly random?: Random;
}

/** Exponential backoff with full jitter: the delay before try `attempt` (0 for the first repetition). */
export function fullJitterMs(attempt: number, { baseMs, capMs, random = Math.random }: BackoffOptions): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 52));
}

import { fullJitterMs, type Random } from '../common/index.ts';

/** Even with the unluckiest jitter a repetition waits this long, so that no failure becomes a hot loop. */
const FLOOR_MS = 200;

/**
 * The wait before repeating a failed renewal, login or rotation: full jitter up to `capMs`, and at most a quarter
 * of what is left of the credential, so that several tries fit into it.
 */
export function repeatDelayMs(
  attempt: number,
  options: { remainingMs: number; capMs: number; random: Random; baseMs?: number },
): number {
  const { remainingMs, capMs, random, baseMs = 1_000 } = options;
  const quarterMs = remainingMs > 0 ? remainingMs / 4 : capMs;
  return Math.max(FLOOR_MS, fullJitterMs(attempt, { baseMs, capMs: Math.min(capMs, quarterMs), random }));
}

/** However long a credential lives, the wait for the next try is shorter than this. */
const LONGEST_REPLACEMENT_MS = 20 * 60_000;

/**
 * The wait before trying again to renew or replace a credential that still serves: any time of what is left, all the
 * same. No other distribution has clients ask less often at any moment, so that a fleet whose server comes back after
 * minutes does not ask all at once; and the tries come closer together as the end does.
 */
export function spreadDelayMs({ remainingMs, random }: { remainingMs: number; random: Random }): number {
  return Math.max(FLOOR_MS, Math.min(remainingMs, LONGEST_REPLACEMENT_MS) * random());
}

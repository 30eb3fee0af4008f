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

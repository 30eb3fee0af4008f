import { EncodingError } from './encoding-error.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d{1,15}(?:\.\d{1,9})?|\.\d{1,9})(ns|us|µs|μs|ms|s|m|h)/y;
const MAX_CHARACTERS = 64;

/**
 * Reads a duration as Go writes it: `90s`, `1h30m`, `1.5h`, `250ms`, `0`. No sign, no days, no spaces. The result is
 * in milliseconds and may have a fraction.
 * @throws EncodingError `DURATION_INVALID`
 */
export function parseDurationMs(text: string): number {
  if (text === '0') return 0;
  let totalMs = 0;
  let position = 0;
  if (text.length > 0 && text.length <= MAX_CHARACTERS) {
    while (position < text.length) {
      PART.lastIndex = position;
      const [part, amount, unit] = PART.exec(text) ?? [];
      if (part === undefined || unit === undefined) break;
      totalMs += Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
      position = PART.lastIndex;
    }
    if (position === text.length && totalMs <= Number.MAX_SAFE_INTEGER) return totalMs;
  }
  throw new EncodingError('DURATION_INVALID', 'A duration looks like 90s, 1h30m or 250ms, without sign or spaces');
}

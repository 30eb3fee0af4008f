import { invalid } from './fault.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
};

const PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/gy;

/** Longer than this is a mistake or an attack: 100 years. */
const MAX_SECONDS = 100 * 365 * 86_400;

/** Vault's durations: whole seconds as number or text, or Go's notation (`1h30m`) with `d` for days. In seconds, rounded down. */
export function parseDuration(value: unknown, field: string): number {
  const seconds = secondsOf(value);
  if (seconds === undefined || seconds < 0 || seconds > MAX_SECONDS) {
    throw invalid(`error converting input for field "${field}": not a duration between 0 and 100 years`);
  }
  return Math.floor(seconds);
}

function secondsOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.length > 64) return undefined;
  if (value === '') return 0;
  if (/^\d+$/.test(value)) return Number(value);
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < value.length) {
    const part = PART.exec(value);
    if (part === null) return undefined;
    total += Number(part[1]) * (UNIT_SECONDS[part[2] ?? ''] ?? Number.NaN);
  }
  return total;
}

/** Go's notation: 90 is `1m30s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  if (hours > 0) return `${hours}h${minutes}m${rest}s`.replace(/(?<=[hm])0[ms](?:0s)?$/, '');
  if (minutes > 0) return rest > 0 ? `${minutes}m${rest}s` : `${minutes}m`;
  return `${rest}s`;
}

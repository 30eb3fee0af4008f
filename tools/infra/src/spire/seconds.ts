import { fail } from 'node:assert/strict';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** The seconds of `30s`, `5m` or `24h`. @throws AssertionError for anything else */
export function secondsOf(duration: unknown): number {
  const [, number, unit] = /^(\d+)([smh])$/.exec(String(duration)) ?? fail(`"${String(duration)}" is no duration`);
  return Number(number) * (UNITS[String(unit)] ?? fail(`${String(unit)} is no unit`));
}

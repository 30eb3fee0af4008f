import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { extendedFully, hardPointMs, renewalPointMs } from './lifetime.ts';

const life = fc.integer({ min: 1, max: 10 * 365 * 86_400_000 });
const start = fc.integer({ min: 0, max: 2_000_000_000_000 });
const drawn = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

describe('renewalPointMs', () => {
  test('the first point lies in (0.1, 0.8) of the life and later ones in (0.72, 0.80)', () => {
    fc.assert(
      fc.property(start, life, drawn, fc.boolean(), (issuedAtMs, lifeMs, value, first) => {
        const atMs = renewalPointMs({ issuedAtMs, expiresAtMs: issuedAtMs + lifeMs }, { first, random: () => value });
        const share = (atMs - issuedAtMs) / lifeMs;
        expect(share).toBeGreaterThanOrEqual((first ? 0.1 : 0.72) - 0.001);
        expect(share).toBeLessThanOrEqual(0.8 + 0.001);
      }),
    );
  });

  test('a reserve is kept whenever a tenth of the life allows it, and never makes a hot loop', () => {
    fc.assert(
      fc.property(start, life, drawn, fc.boolean(), life, (issuedAtMs, lifeMs, value, first, reserveMs) => {
        const expiresAtMs = issuedAtMs + lifeMs;
        const atMs = renewalPointMs({ issuedAtMs, expiresAtMs }, { first, reserveMs, random: () => value });
        expect(atMs - issuedAtMs).toBeGreaterThanOrEqual(lifeMs * 0.1 - 0.5);
        if (reserveMs <= lifeMs * 0.9) expect(expiresAtMs - atMs).toBeGreaterThanOrEqual(reserveMs - 0.5);
      }),
    );
  });

  test('what does not end is never due', () => {
    const forever = { issuedAtMs: 0, expiresAtMs: Number.POSITIVE_INFINITY };
    expect(renewalPointMs(forever, { first: true, random: () => 0 })).toBe(Number.POSITIVE_INFINITY);
  });

  test('a thousand clients that start together spread their first renewals over the life', () => {
    const seconds = new Map<number, number>();
    for (let client = 0; client < 1_000; client += 1) {
      const atMs = renewalPointMs({ issuedAtMs: 0, expiresAtMs: 3_600_000 }, { first: true, random: Math.random });
      const slot = Math.floor(atMs / 60_000);
      seconds.set(slot, (seconds.get(slot) ?? 0) + 1);
    }
    const mean = 1_000 / 42;
    expect(Math.max(...seconds.values())).toBeLessThanOrEqual(3 * mean);
  });
});

describe('hardPointMs', () => {
  test('it comes after every renewal point, leaves the reserve, and never comes before half of the life', () => {
    fc.assert(
      fc.property(start, life, drawn, life, (issuedAtMs, lifeMs, value, reserveMs) => {
        const span = { issuedAtMs, expiresAtMs: issuedAtMs + lifeMs };
        const hardMs = hardPointMs(span, reserveMs);
        expect(hardMs - issuedAtMs).toBeGreaterThanOrEqual(lifeMs / 2 - 0.5);
        if (reserveMs <= lifeMs / 2) {
          expect(span.expiresAtMs - hardMs).toBeGreaterThanOrEqual(reserveMs - 0.5);
          const atMs = renewalPointMs(span, { first: false, reserveMs, random: () => value });
          expect(hardMs).toBeGreaterThanOrEqual(atMs - 0.5);
        }
      }),
    );
    expect(hardPointMs({ issuedAtMs: 0, expiresAtMs: Number.POSITIVE_INFINITY })).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('extendedFully', () => {
  test('the whole duration is an extension, what is left of a maximum is not', () => {
    expect(extendedFully(90_000, 90_000)).toBe(true);
    expect(extendedFully(89_000, 90_000)).toBe(true);
    expect(extendedFully(81_000, 90_000)).toBe(false);
    expect(extendedFully(2_000, 3_000)).toBe(false);
  });
});

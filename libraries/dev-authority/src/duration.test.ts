import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';
import { Fault } from './fault.ts';

test.each<[unknown, number]>([
  [90, 90],
  ['90', 90],
  ['90s', 90],
  ['1m30s', 90],
  ['1h', 3600],
  ['1.5h', 5400],
  ['2d', 172_800],
  ['1500ms', 1],
  ['', 0],
])('%j is %d seconds', (value, seconds) => {
  expect(parseDuration(value, 'ttl')).toBe(seconds);
});

test.each([
  ['soon'],
  ['1x'],
  ['-1s'],
  [-1],
  [Number.NaN],
  ['1h soon'],
  [{}],
  [null],
  ['9'.repeat(70)],
  ['999999999999999h'],
])('%j is refused', (value) => {
  expect(() => parseDuration(value, 'ttl')).toThrow(Fault);
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 10_000_000 }),
      (seconds) => parseDuration(formatDuration(seconds), 'x') === seconds,
    ),
  );
  expect([
    formatDuration(90),
    formatDuration(3600),
    formatDuration(5400),
    formatDuration(3605),
    formatDuration(0),
  ]).toEqual(['1m30s', '1h', '1h30m', '1h0m5s', '0s']);
});

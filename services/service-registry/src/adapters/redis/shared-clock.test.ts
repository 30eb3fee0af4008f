import { FakeClock } from '@neural-hive/security/testing';
import { expect, test } from 'vitest';
import { SharedClock } from './shared-clock.ts';

const SERVER_MS = 5_000_000;

test('clocks that differ agree once they have heard the same server', () => {
  const clocks = [0, -90_000, 90_000].map((errorMs) => new SharedClock(new FakeClock(SERVER_MS + errorMs)));
  expect(new Set(clocks.map((clock) => clock.now())).size).toBe(3);
  for (const clock of clocks) clock.observe(SERVER_MS, clock.ownMs(), clock.ownMs());
  expect(clocks.map((clock) => clock.now())).toEqual([SERVER_MS, SERVER_MS, SERVER_MS]);
});

test('a slow answer does not move a clock that a quick one has set, unless it proves it wrong', () => {
  const clock = new SharedClock(new FakeClock(1_000));
  clock.observe(SERVER_MS, 1_000, 1_000);
  clock.observe(SERVER_MS + 10, 900, 1_300);
  expect(clock.now()).toBe(SERVER_MS);
  // The server cannot have been ahead by more than what it said ahead of the moment of asking.
  clock.observe(SERVER_MS - 500, 1_000, 1_001);
  expect(clock.now()).toBe(SERVER_MS - 500);
});

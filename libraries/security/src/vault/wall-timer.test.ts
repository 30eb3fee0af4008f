import { expect, test } from 'vitest';
import type { Clock } from '../common/index.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { setWallTimer } from './wall-timer.ts';

const HOUR = 3_600_000;

/** A clock whose wall time can jump while its timers run on. */
function jumpingClock() {
  const steady = new FakeClock();
  let offsetMs = 0;
  const clock: Clock = {
    now: () => steady.now() + offsetMs,
    monotonicMs: () => steady.monotonicMs(),
    setTimer: (delayMs, callback) => steady.setTimer(delayMs, callback),
  };
  const jump = (ms: number): void => {
    offsetMs += ms;
  };
  return { clock, steady, jump };
}

function startedTimer(delayMs: number) {
  const { clock, steady, jump } = jumpingClock();
  let calls = 0;
  const timer = setWallTimer(clock, clock.now() + delayMs, () => {
    calls += 1;
  });
  return { steady, jump, timer, calls: () => calls };
}

test('it calls back once, at its time', async () => {
  const { steady, calls } = startedTimer(2 * HOUR);
  await steady.advance(2 * HOUR - 1);
  expect(calls()).toBe(0);
  await steady.advance(1);
  expect(calls()).toBe(1);
  await steady.advance(10 * HOUR);
  expect(calls()).toBe(1);
  expect(steady.nextAtMs).toBeUndefined();
});

test('after a suspension, which timers do not count, a due moment is noticed within minutes', async () => {
  const { steady, jump, calls } = startedTimer(8 * HOUR);
  await steady.advance(HOUR);
  jump(9 * HOUR);
  expect(calls()).toBe(0);
  await steady.advance(5 * 60_000);
  expect(calls()).toBe(1);
});

test('a wall clock that is set back puts nothing off', async () => {
  const { steady, jump, calls } = startedTimer(HOUR);
  await steady.advance(1_000);
  jump(-HOUR);
  await steady.advance(HOUR - 1_000);
  expect(calls()).toBe(1);
});

test('a cancelled one is silent', async () => {
  const { steady, timer, calls } = startedTimer(HOUR);
  await steady.advance(30 * 60_000);
  timer.cancel();
  await steady.advance(HOUR);
  expect(calls()).toBe(0);
  expect(steady.nextAtMs).toBeUndefined();
});

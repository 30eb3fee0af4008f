import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import type { Clock, Timer } from './clock.ts';
import { TimerQueue } from './timer-queue.ts';

const HOUR = 3_600_000;

/** A machine whose wall clock can be set, and which can be suspended: its timers and its monotonic clock stand then. */
class Machine implements Clock {
  readonly running = new FakeClock(0);
  #wallMs = 1_700_000_000_000;
  timers = 0;

  now(): number {
    return this.#wallMs + this.running.now();
  }

  monotonicMs(): number {
    return this.running.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    this.timers += 1;
    return this.running.setTimer(delayMs, callback);
  }

  moveWallClock(byMs: number): void {
    this.#wallMs += byMs;
  }
}

describe('TimerQueue', () => {
  test('whatever is set and cancelled, the rest fires once, in order and on time', async () => {
    const action = fc.record({ delayMs: fc.integer({ min: -5, max: 10 * HOUR }), cancelled: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 60 }), async (actions) => {
        const clock = new FakeClock(0);
        const queue = new TimerQueue({ clock });
        const fired: number[] = [];
        const timers = actions.map(({ delayMs }) =>
          queue.setTimer(delayMs, () => {
            expect(clock.now()).toBe(Math.max(0, delayMs));
            fired.push(delayMs);
          }),
        );
        timers.forEach((timer, index) => {
          if (actions[index]?.cancelled) timer.cancel();
        });
        await clock.advance(11 * HOUR);
        const kept = actions.filter(({ cancelled }) => !cancelled).map(({ delayMs }) => Math.max(0, delayMs));
        expect(fired.map((delayMs) => Math.max(0, delayMs))).toEqual(kept.sort((a, b) => a - b));
        expect(queue.size).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('a thousand timers take few of the clock, and longer delays than Node can hold are no hot loop', async () => {
    const machine = new Machine();
    const queue = new TimerQueue({ clock: machine });
    let fired = 0;
    for (let index = 1; index <= 1_000; index += 1)
      queue.setTimer(768 * HOUR, () => {
        fired += 1;
      });
    expect(machine.timers).toBe(1);
    await machine.running.advance(768 * HOUR + 1);
    expect(fired).toBe(1_000);
    expect(machine.timers).toBeLessThan(200);
  });

  test('a suspended machine comes late by an eighth of the delay at most', async () => {
    const machine = new Machine();
    const queue = new TimerQueue({ clock: machine });
    let firedAtMs = 0;
    const dueMs = machine.now() + 8 * HOUR;
    queue.setTimer(8 * HOUR, () => {
      firedAtMs = machine.now();
    });
    machine.moveWallClock(6 * HOUR);
    await machine.running.advance(4 * HOUR);
    expect(firedAtMs).toBeGreaterThanOrEqual(dueMs);
    expect(firedAtMs - dueMs).toBeLessThanOrEqual(HOUR);
  });

  test('what is due while the machine is suspended fires soon after', async () => {
    const machine = new Machine();
    const queue = new TimerQueue({ clock: machine });
    let fired = false;
    queue.setTimer(60_000, () => {
      fired = true;
    });
    machine.moveWallClock(HOUR);
    await machine.running.advance(30_000);
    expect(fired).toBe(true);
  });

  test('a clock that is set back delays nothing, and the user hears by how much', async () => {
    const machine = new Machine();
    const setBack: number[] = [];
    const queue = new TimerQueue({ clock: machine, onSetBack: (byMs) => setBack.push(byMs) });
    let fired = 0;
    queue.setTimer(90_000, () => {
      fired += 1;
    });
    machine.moveWallClock(-HOUR);
    await machine.running.advance(90_000);
    expect(fired).toBe(1);
    expect(setBack).toEqual([HOUR]);
    queue.setTimer(10_000, () => {
      fired += 1;
    });
    await machine.running.advance(10_000);
    expect(fired).toBe(2);
  });

  test('one that throws keeps none of the others from firing', async () => {
    const clock = new FakeClock(0);
    const queue = new TimerQueue({ clock });
    let fired = false;
    queue.setTimer(1_000, () => {
      throw new Error('mine');
    });
    queue.setTimer(1_000, () => {
      fired = true;
    });
    await expect(clock.advance(2_000)).rejects.toThrow('mine');
    await clock.advance(2_000);
    expect(fired).toBe(true);
  });

  test('after clear nothing fires', async () => {
    const clock = new FakeClock(0);
    const queue = new TimerQueue({ clock });
    queue.setTimer(1_000, () => expect.unreachable());
    queue.clear();
    await clock.advance(5_000);
    expect(clock.nextAtMs).toBeUndefined();
  });
});

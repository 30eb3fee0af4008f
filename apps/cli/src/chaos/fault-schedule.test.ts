import { expect, test } from 'vitest';
import { faultSchedule } from './fault-schedule.ts';

const targets = ['orchestrator', 'worker', 'database'];
const schedule = (seed: number, minutes: number) => faultSchedule({ seed, minutes, targets });

test('the same seed makes the same faults, another seed others', () => {
  expect(schedule(1, 10)).toEqual(schedule(1, 10));
  expect(schedule(2, 10)).not.toEqual(schedule(1, 10));
});

test('a longer run begins as a shorter one does', () => {
  const short = schedule(5, 1);
  expect(short.length).toBeGreaterThan(3);
  expect(schedule(5, 4).slice(0, short.length)).toEqual(short);
});

test('an hour holds kills and pauses of every target, alone and together, in order and within the time', () => {
  const faults = schedule(1, 60);
  for (const target of targets) {
    for (const kind of ['kill', 'pause']) {
      expect(faults).toContainEqual(expect.objectContaining({ kind, targets: [target] }));
    }
  }
  expect(faults).toContainEqual(expect.objectContaining({ targets }));
  for (const [index, { atMs }] of faults.entries()) {
    expect(atMs).toBeGreaterThan(faults[index - 1]?.atMs ?? 0);
    expect(atMs).toBeLessThan(3_600_000);
  }
});

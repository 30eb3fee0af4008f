import { expect, test } from 'vitest';
import { faultSchedule } from './fault-schedule.ts';

const targets = ['orchestrator', 'worker', 'database'];
const choices = targets.map((name) => ({ name, comesBack: true }));
const schedule = (seed: number, minutes: number) => faultSchedule({ seed, minutes, targets: choices });

test('the same seed makes the same faults, another seed others', () => {
  expect(schedule(1, 10)).toEqual(schedule(1, 10));
  expect(schedule(2, 10)).not.toEqual(schedule(1, 10));
});

test('a longer run begins as a shorter one does', () => {
  const short = schedule(5, 1);
  expect(short.length).toBeGreaterThan(3);
  expect(schedule(5, 4).slice(0, short.length)).toEqual(short);
});

test('what nobody starts again is paused and never killed, alone or with others', () => {
  const lasting = [...choices, { name: 'given', comesBack: false }];
  const faults = faultSchedule({ seed: 1, minutes: 60, targets: lasting });
  const met = faults.filter((fault) => fault.targets.includes('given'));
  expect(met.length).toBeGreaterThan(10);
  expect(met.every(({ kind }) => kind === 'pause')).toBe(true);
  expect(faults.some(({ kind }) => kind === 'kill')).toBe(true);
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

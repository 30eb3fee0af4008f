import { expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { ageLimit } from './connection-age.ts';

function follow(options: Omit<Parameters<typeof ageLimit>[0], 'clock'>) {
  const clock = new FakeClock();
  const steps: string[] = [];
  const limit = ageLimit({ clock, ...options });
  const timer = limit({ retire: () => steps.push('retire'), destroy: () => steps.push('destroy') });
  return { clock, steps, timer };
}

test('a connection retires at its age and is destroyed after its grace', async () => {
  const { clock, steps } = follow({ maxAgeMs: 1_000, maxAgeGraceMs: 500, random: () => 0 });
  await clock.advance(999);
  expect(steps).toEqual([]);
  await clock.advance(1);
  expect(steps).toEqual(['retire']);
  await clock.advance(499);
  expect(steps).toEqual(['retire']);
  await clock.advance(1);
  expect(steps).toEqual(['retire', 'destroy']);
});

test('the moment is drawn from the last tenth of the age', async () => {
  const { clock, steps } = follow({ maxAgeMs: 1_000, random: () => 0.5 });
  await clock.advance(949);
  expect(steps).toEqual([]);
  await clock.advance(1);
  expect(steps).toEqual(['retire']);
});

test('a connection that has ended is left alone, before its age and during its grace', async () => {
  for (const endsAtMs of [10, 1_010]) {
    const { clock, steps, timer } = follow({ maxAgeMs: 1_000 });
    await clock.advance(endsAtMs);
    timer.cancel();
    const soFar = [...steps];
    await clock.advance(100_000);
    expect(steps).toEqual(soFar);
    expect(clock.nextAtMs).toBeUndefined();
  }
});

test('without a limit nothing happens, and one that cannot be is refused by name', () => {
  expect(follow({}).clock.nextAtMs).toBeUndefined();
  for (const maxAgeMs of [0, -1, Number.NaN]) expect(() => ageLimit({ maxAgeMs })).toThrow(/maxAgeMs/);
  expect(() => ageLimit({ maxAgeMs: 1, maxAgeGraceMs: -1 })).toThrow(/maxAgeGraceMs/);
});

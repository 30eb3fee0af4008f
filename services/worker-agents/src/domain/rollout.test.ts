import { expect, test } from 'vitest';
import { rolloutOf } from './rollout.ts';

const DONE = {
  generation: 2,
  observedGeneration: 2,
  wanted: 3,
  replicas: 3,
  updated: 3,
  available: 3,
  progressing: 'NewReplicaSetAvailable',
};

test('a rollout is through when every replica is of the new kind and available', () => {
  expect(rolloutOf(DONE)).toEqual({ state: 'done' });
  expect(rolloutOf({ ...DONE, wanted: 0, replicas: 0, updated: 0, available: 0 })).toEqual({ state: 'done' });
});

test.each([
  ['its change was seen', { observedGeneration: 1 }],
  ['every replica is updated', { updated: 2 }],
  ['the old ones are gone', { replicas: 4 }],
  ['the new ones are available', { available: 2 }],
])('it goes on until %s', (_name, change) => {
  expect(rolloutOf({ ...DONE, ...change }).state).toBe('waiting');
});

test('it has failed when the progress deadline is over, of this change and not of the one before', () => {
  const late = { available: 1, progressing: 'ProgressDeadlineExceeded' };
  expect(rolloutOf({ ...DONE, ...late }).state).toBe('failed');
  expect(rolloutOf({ ...DONE, ...late, observedGeneration: 1 }).state).toBe('waiting');
});

import { expect, test } from 'vitest';
import { inTurns } from './in-turns.ts';

test('so many are at work at once, in their order, and a failure stops nobody', async () => {
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  const work = (name: string): Promise<string> => {
    log.push(name);
    return new Promise((resolve, reject) =>
      gates.set(name, () => (name === 'b' ? reject(new Error('no space')) : resolve(name.toUpperCase()))),
    );
  };
  const all = inTurns(['a', 'b', 'c'], 2, work);
  expect(log).toEqual(['a', 'b']);
  gates.get('b')?.();
  await expect.poll(() => log).toEqual(['a', 'b', 'c']);
  gates.get('c')?.();
  gates.get('a')?.();
  const results = await all;
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(results[2]).toMatchObject({ value: 'C' });
});

test('nothing to do is done at once', async () => {
  expect(await inTurns([], 2, () => Promise.reject(new Error('never')))).toEqual([]);
});

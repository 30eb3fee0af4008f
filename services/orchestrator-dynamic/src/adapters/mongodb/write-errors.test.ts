import { expect, test } from 'vitest';
import { unlessThere, writeMissing } from './write-errors.ts';

const duplicate = () => Object.assign(new Error('there already'), { code: 11_000 });

test('a write that was made before is done, any other error is one', async () => {
  await unlessThere(Promise.resolve());
  await unlessThere(Promise.reject(duplicate()));
  await expect(unlessThere(Promise.reject(new Error('away')))).rejects.toThrow('away');
});

test('documents behind one that is there already are written as well', async () => {
  const there = new Set([2]);
  // As FerretDB does: it ends at the first that is there.
  const write = async (documents: readonly number[]) => {
    for (const document of documents) {
      if (there.has(document)) throw duplicate();
      there.add(document);
    }
  };
  await writeMissing([1, 2, 3, 4], write, async (open) => open.filter((document) => !there.has(document)));
  expect([...there].sort()).toEqual([1, 2, 3, 4]);
  const failing = writeMissing(
    [5],
    () => Promise.reject(new Error('away')),
    async (open) => open,
  );
  await expect(failing).rejects.toThrow('away');
});

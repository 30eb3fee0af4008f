import { expect, test } from 'vitest';
import { overlaid } from './service-charts.ts';

test('objects are laid over one another field by field, everything else is replaced', () => {
  expect(overlaid({ a: { b: 1, c: [1] }, d: 2 }, { a: { c: [2] }, e: { f: 3 } })).toEqual({
    ...{ a: { b: 1, c: [2] }, d: 2, e: { f: 3 } },
  });
});

test('what was laid under stays as it was', () => {
  const under = { a: { b: 1 } };
  overlaid(under, { a: { b: 2 } });
  expect(under).toEqual({ a: { b: 1 } });
});

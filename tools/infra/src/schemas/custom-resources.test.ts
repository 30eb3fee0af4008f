import { expect, test } from 'vitest';
import { strictSchema } from './custom-resources.ts';

test('an object with named fields takes no others, at every depth', () => {
  const inner = { type: 'object', properties: { a: { type: 'string' } } };
  expect(strictSchema({ type: 'object', properties: { spec: inner, list: { type: 'array', items: inner } } })).toEqual({
    type: 'object',
    additionalProperties: false,
    properties: {
      spec: { ...inner, additionalProperties: false },
      list: { type: 'array', items: { ...inner, additionalProperties: false } },
    },
  });
});

test('maps, metadata and what is kept as it is stay open', () => {
  const map = { type: 'object', additionalProperties: { type: 'string' } };
  const kept = { type: 'object', properties: { a: {} }, 'x-kubernetes-preserve-unknown-fields': true };
  const metadata = { type: 'object' };
  expect(strictSchema(map)).toEqual(map);
  expect(strictSchema(kept)).toEqual(kept);
  expect(strictSchema(metadata)).toEqual(metadata);
});

test('a number or a name is both', () => {
  const port = { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] };
  expect(strictSchema(port)).toEqual({ type: ['integer', 'string'] });
});

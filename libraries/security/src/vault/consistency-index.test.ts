import { expect, test } from 'vitest';
import { ConsistencyIndex } from './consistency-index.ts';

const at = (local: number, replicated = 0, cluster = 'c'): string =>
  Buffer.from(`v1:${cluster}:${local}:${replicated}:aGFzaA==`).toString('base64');

test('the newest state is kept, also when an older answer arrives later', () => {
  const index = new ConsistencyIndex();
  expect(index.value).toBeUndefined();
  index.note(at(5));
  index.note(at(9));
  index.note(at(7));
  expect(index.value).toBe(at(9));
});

test('a state of another cluster, or of a form that cannot be compared, replaces the old one', () => {
  const index = new ConsistencyIndex();
  index.note(at(9));
  index.note(at(1, 0, 'other'));
  expect(index.value).toBe(at(1, 0, 'other'));
  index.note('eyJpbmRleCI6MX0=');
  expect(index.value).toBe('eyJpbmRleCI6MX0=');
});

test('what could not be sent as a header is not taken', () => {
  const index = new ConsistencyIndex();
  index.note(undefined);
  index.note('a\r\nb');
  index.note('x'.repeat(5_000));
  expect(index.value).toBeUndefined();
});

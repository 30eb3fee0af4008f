import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256Hex } from './sha256.ts';

test('the examples of FIPS 180-4 have the digests that it gives', () => {
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256Hex('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')).toBe(
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  );
});

test('any text has the digest that node:crypto computes', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 150 }),
    fc.nat({ max: 260 }).map((length) => 'x'.repeat(length)),
  );
  fc.assert(
    fc.property(text, (value) => {
      expect(sha256Hex(value)).toBe(createHash('sha256').update(value).digest('hex'));
    }),
    { numRuns: 500 },
  );
});

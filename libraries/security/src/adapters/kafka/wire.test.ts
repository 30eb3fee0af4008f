import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WireReader, WireWriter } from './wire.ts';

test('what is written is read again, whatever it is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string()),
      fc.uint8Array(),
      fc.integer({ min: 0, max: 2 ** 28 }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      (texts, bytes, varint, int) => {
        const writer = new WireWriter();
        const written = writer
          .compactArray(texts, (text) => void writer.compactString(text))
          .compactBytes(Buffer.from(bytes))
          .varint(varint)
          .int32(int)
          .compactString(null)
          .noTags()
          .bytes();
        const reader = new WireReader(written);
        expect(reader.compactArray(() => reader.compactString())).toEqual(texts.map((text) => text.toWellFormed()));
        expect(reader.compactBytes()).toEqual(Buffer.from(bytes));
        expect([reader.varint(), reader.int32(), reader.compactString()]).toEqual([varint, int, '']);
        reader.skipTags();
      },
    ),
  );
});

test('an answer that ends too early, or counts what it does not have, is told and never read past its end', () => {
  expect(new WireReader(Buffer.from([0, 1])).int16()).toBe(1);
  for (const bytes of [[0], [], [0xff, 0xff, 0xff, 0xff, 0xff]]) {
    const reader = new WireReader(Buffer.from(bytes));
    expect(() => (bytes.length > 1 ? reader.varint() : reader.int16())).toThrow(RangeError);
  }
  const many = new WireReader(Buffer.from([0xff, 0xff, 0xff, 0x7f, 1]));
  expect(() => many.compactArray(() => many.int8())).toThrow(RangeError);
});

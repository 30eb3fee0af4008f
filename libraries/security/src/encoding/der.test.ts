import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TAG } from './der-element.ts';
import { DerReader, MAX_DER_BYTES, splitDer } from './der-reader.ts';
import { derOid, derTime, derUnsigned } from './der-writer.ts';
import { EncodingError } from './encoding-error.ts';

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const refused = expect.objectContaining({ code: 'DER_INVALID' });

describe('DerReader', () => {
  test('reads the elements of a sequence', () => {
    const reader = new DerReader(bytes('30 0b 01 01 ff 02 01 05 06 03 55 1d 13')).sequence('it');
    expect([reader.boolean('a'), reader.smallInteger('b'), reader.oid('c')]).toEqual([true, 5, '2.5.29.19']);
    reader.finish('it');
  });

  test.each([
    ['an empty input', ''],
    ['a header that is cut', '30'],
    ['a length that is cut', '30 82 01'],
    ['content that is cut', '04 02 00'],
    ['an indefinite length', '30 80 00 00'],
    ['a long length that would fit into one byte', '04 81 01 00'],
    ['a length with a leading zero', '04 82 00 80'],
    ['a length of five bytes', '04 85 00 00 00 00 01 00'],
    ['a high tag number', '1f 81 01 00'],
  ])('refuses %s', (_name, hex) => {
    expect(() => new DerReader(bytes(hex)).read('it')).toThrow(refused);
  });

  test.each([
    ['a boolean that is neither 00 nor ff', '01 01 01', (reader: DerReader) => reader.boolean('it')],
    ['an empty integer', '02 00', (reader: DerReader) => reader.integer('it')],
    ['a padded integer', '02 02 00 7f', (reader: DerReader) => reader.integer('it')],
    ['a padded negative integer', '02 02 ff 80', (reader: DerReader) => reader.integer('it')],
    ['a negative small integer', '02 01 80', (reader: DerReader) => reader.smallInteger('it')],
    ['a large small integer', '02 05 01 00 00 00 00', (reader: DerReader) => reader.smallInteger('it')],
    ['a bit string without its count', '03 00', (reader: DerReader) => reader.bitString('it')],
    ['a bit string with nine unused bits', '03 02 09 00', (reader: DerReader) => reader.bitString('it')],
    ['a bit string whose unused bits are set', '03 02 01 01', (reader: DerReader) => reader.bitString('it')],
    ['an empty object identifier', '06 00', (reader: DerReader) => reader.oid('it')],
    ['a padded object identifier', '06 02 80 01', (reader: DerReader) => reader.oid('it')],
    ['an object identifier that is cut', '06 02 55 9d', (reader: DerReader) => reader.oid('it')],
    ['a huge arc', '06 0a 55 ff ff ff ff ff ff ff ff 7f', (reader: DerReader) => reader.oid('it')],
    ['another tag', '04 00', (reader: DerReader) => reader.sequence('it')],
  ])('refuses %s', (_name, hex, read) => {
    expect(() => read(new DerReader(bytes(hex)))).toThrow(refused);
  });

  test('refuses what follows', () => {
    const reader = new DerReader(bytes('05 00 05 00'));
    reader.read('first');
    expect(() => reader.finish('first')).toThrow(/followed by 2 unexpected bytes/);
  });

  test('refuses more than 1 MiB unread', () => {
    expect(() => new DerReader(new Uint8Array(MAX_DER_BYTES + 1))).toThrow(
      expect.objectContaining({ code: 'INPUT_TOO_LARGE' }),
    );
  });

  test.each(['20260230000000Z', '20261301000000Z', '20260101240000Z', '20260101006000Z', '20260101000060Z', '2026'])(
    'refuses the time %s',
    (text) => {
      const element = Buffer.concat([Uint8Array.of(TAG.generalizedTime, text.length), Buffer.from(text)]);
      expect(() => new DerReader(element).time('it')).toThrow(refused);
    },
  );

  test('reads back what the writer writes', () => {
    const arcs = fc.array(fc.nat(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        arcs,
        fc.nat(2 ** 31 - 1),
        fc.integer({ min: -631152000, max: 253402300799 }),
        (rest, value, epoch) => {
          const oid = ['2.5', ...rest].join('.');
          expect(new DerReader(derOid(oid)).oid('it')).toBe(oid);
          const number = Buffer.alloc(4);
          number.writeUInt32BE(value);
          expect(new DerReader(derUnsigned(number)).smallInteger('it')).toBe(value);
          expect(new DerReader(derTime(epoch * 1000)).time('it')).toBe(epoch * 1000);
        },
      ),
    );
  });

  test('throws nothing but EncodingError, and loses no byte, whatever it reads', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        try {
          expect(Buffer.concat(splitDer(input, 16))).toEqual(Buffer.from(input));
          const reader = new DerReader(input);
          reader.time('it');
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('splits concatenated elements up to a limit', () => {
    expect(splitDer(bytes('05 00 04 01 00'), 2)).toHaveLength(2);
    expect(splitDer(new Uint8Array(), 2)).toEqual([]);
    expect(() => splitDer(bytes('05 00 04 01 00'), 1)).toThrow(expect.objectContaining({ code: 'INPUT_TOO_LARGE' }));
  });
});

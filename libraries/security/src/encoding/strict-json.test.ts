import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EncodingError } from './encoding-error.ts';
import { JsonScanner } from './json-scanner.ts';
import { parsePlainJson } from './plain-json.ts';
import { parseExactJson, parseStrictJson } from './strict-json.ts';

describe('parseStrictJson', () => {
  test('reads every kind of value', () => {
    const text = ' { "a" : [ 1 , -2.5e3, true, false, null, "x\\u0041\\n\\uD83D\\uDE00" ], "" : {} } ';
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
    expect(parseStrictJson(Buffer.from(text))).toEqual(JSON.parse(text));
  });

  test.each([
    ['a duplicate member', '{"aud":"a","aud":"b"}'],
    ['a duplicate member that is escaped once', '{"aud":"a","\\u0061ud":"b"}'],
    ['a duplicate member deep inside', '[{"x":{"a":1,"a":1}}]'],
    ['__proto__', '{"__proto__":{"admin":true}}'],
    ['a number that loses digits', '9007199254740993'],
    ['a number that is infinite', '1e999'],
    ['a lone surrogate', '"\\ud800"'],
    ['a byte order mark', '\ufeff{}'],
    ['nothing', ''],
    ['something behind', '{} {}'],
    ['a trailing comma', '[1,]'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a comment', '{/**/}'],
    ['a leading zero', '01'],
    ['a plus sign', '+1'],
    ['a control character in a string', '"a\nb"'],
    ['an unknown escape', '"\\x41"'],
    ['an open string', '"abc'],
    ['a string that ends in its escape', '"abc\\'],
    ['an open array', '[1'],
    ['an open object', '{"a":1'],
    ['a member without a value', '{"a"}'],
    ['a bare word', 'NaN'],
    ['a single quote', "{'a':1}"],
    ['another kind of space', '\u00a0{}'],
  ])('refuses %s', (_name, text) => {
    expect(() => parseStrictJson(text)).toThrow(expect.objectContaining({ code: 'JSON_INVALID' }));
  });

  test('refuses invalid UTF-8', () => {
    expect(() => parseStrictJson(Uint8Array.of(0x22, 0xc3, 0x28, 0x22))).toThrow(/UTF-8/);
  });

  test('keeps its limits', () => {
    expect(parseStrictJson('[[1]]', { maxDepth: 2, maxBytes: 5 })).toEqual([[1]]);
    expect(() => parseStrictJson('[[1]]', { maxDepth: 1 })).toThrow(/deeper/);
    expect(() => parseStrictJson('[[1]]', { maxBytes: 4 })).toThrow(
      expect.objectContaining({ code: 'INPUT_TOO_LARGE' }),
    );
    expect(() => parseStrictJson('['.repeat(500_000))).toThrow(/deeper/);
  });

  test('gives objects that inherit nothing', () => {
    const value = parseStrictJson('{"constructor":1}') as Record<string, unknown>;
    expect([value.constructor, value.toString]).toEqual([1, undefined]);
  });

  test('agrees with JSON.parse on what JSON.stringify writes', () => {
    const safe = fc.jsonValue({ maxDepth: 4 }).filter((value) => {
      const text = JSON.stringify(value);
      return !text.includes('__proto__') && !/\\ud[89a-f]/i.test(text) && !/\d{16}/.test(text);
    });
    fc.assert(
      fc.property(safe, (value) => {
        expect(JSON.stringify(parseStrictJson(JSON.stringify(value, null, 1)))).toBe(JSON.stringify(value));
      }),
    );
  });

  test('takes nothing that JSON.parse refuses, and throws nothing but EncodingError', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"',
      '\\',
      '1',
      '-',
      '.',
      'e',
      'true',
      ' ',
      '\u0001',
    );
    const soup = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(soup, fc.string()), (text) => {
        try {
          expect(parseStrictJson(text)).toEqual(JSON.parse(text));
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the quick way through JSON.parse', () => {
  const scan = (text: string, maxDepth: number) => {
    try {
      return { value: new JsonScanner(text, maxDepth, 'refuse').document() };
    } catch {
      return undefined;
    }
  };
  const name = fc.constantFrom('a', 'b', '__proto__', '', 'exp');
  const { value: document } = fc.letrec<{ value: string; object: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('1', '-0', '1e300', '1e999', '9007199254740993', '9007199254740991', 'null', 'true', '01'),
      fc.constantFrom('""', '"x"', '":,"', '"\\u0061"', '"\\""', '"\ud800"', '"\u00e9"'),
      fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join()}]`),
      tie('object'),
    ),
    object: fc
      .array(fc.tuple(name, tie('value')), { maxLength: 4 })
      .map((members) => `{${members.map(([key, value]) => ` "${key}" :${value}`).join()}}`),
  }));

  test('is taken for what tokens and bundles hold', () => {
    expect(parsePlainJson('{"aud":["me"],"exp":1}', 2)).toEqual({ aud: ['me'], exp: 1 });
    expect(parsePlainJson('{"aud":["me"],"exp":1}', 1)).toBeUndefined();
    expect(parsePlainJson('{"aud":"a","aud":"b"}', 2)).toBeUndefined();
  });

  test('finds what the scanner finds, or leaves it to the scanner', () => {
    fc.assert(
      fc.property(fc.oneof(document, fc.json(), fc.string()), fc.integer({ min: 1, max: 5 }), (text, maxDepth) => {
        const quick = parsePlainJson(text, maxDepth);
        if (quick !== undefined) expect(scan(text, maxDepth)).toEqual({ value: quick });
        const plain = !/[\\\ud800]|\de/i.test(text);
        if (plain && scan(text, maxDepth) !== undefined) expect(quick).toBeDefined();
      }),
      { numRuns: 3000 },
    );
  });
});

describe('exact JSON', () => {
  test('an integer that a number cannot hold is a bigint, and every other number stays one', () => {
    const text = '[9007199254740991,9007199254740992,-9223372036854775808,18446744073709551615,1.5,1e3]';
    expect(parseExactJson(text)).toEqual([
      9007199254740991,
      9007199254740992n,
      -9223372036854775808n,
      18446744073709551615n,
      1.5,
      1000,
    ]);
    expect(() => parseStrictJson(text)).toThrow('too large');
  });

  test.each(['1'.repeat(21), `-${'1'.repeat(20)}`, '1e400'])('%s is refused all the same', (text) => {
    expect(() => parseExactJson(text)).toThrow('too large');
  });

  test('the other rules hold as well', () => {
    expect(() => parseExactJson('{"a":1,"a":2}')).toThrow('twice');
    expect(() => parseExactJson('[[1]]', { maxDepth: 1 })).toThrow('deeper');
  });
});

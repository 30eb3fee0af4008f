import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64, decodeBase64Url, encodeBase64Url } from './base64.ts';
import { parseDurationMs } from './duration.ts';
import { EncodingError } from './encoding-error.ts';
import { encodePem, MAX_PEM_CHARACTERS, parsePem } from './pem.ts';

describe('base64url', () => {
  test('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (input) => {
        expect(decodeBase64Url(encodeBase64Url(input))).toEqual(Buffer.from(input));
      }),
    );
    expect(encodeBase64Url('é')).toBe('w6k');
  });

  test.each(['=', 'QQ==', 'Q', 'QR', 'Q Q', 'QQ\n', 'a+b/', 'ä'])('refuses %j, which is not canonical', (text) => {
    expect(decodeBase64Url('QQ')).toEqual(Buffer.from('A'));
    expect(() => decodeBase64Url(text)).toThrow(EncodingError);
  });

  test('is not base64', () => {
    expect(decodeBase64('+/8=')).toEqual(Buffer.from([0xfb, 0xff]));
    for (const text of ['-_8=', '+/8', '+/9=']) expect(() => decodeBase64(text)).toThrow(EncodingError);
  });
});

describe('PEM', () => {
  test('reads back blocks in order and skips text between them', () => {
    const text = `subject=a\n${encodePem('CERTIFICATE', new Uint8Array(100))}\r\nnote\r\n${encodePem('PRIVATE KEY', Uint8Array.of(1))}`;
    expect(parsePem(text)).toEqual([
      { label: 'CERTIFICATE', bytes: Buffer.alloc(100) },
      { label: 'PRIVATE KEY', bytes: Buffer.from([1]) },
    ]);
    expect(parsePem('')).toEqual([]);
  });

  const good = encodePem('A', Uint8Array.of(1, 2, 3));
  test.each([
    ['an open block', good.replace(/-----END.*\n/, '')],
    ['an end without a beginning', '-----END A-----\n'],
    ['an end of another kind', good.replace('END A', 'END B')],
    ['a block inside a block', `-----BEGIN A-----\n${good}`],
    ['headers', good.replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n')],
    ['an empty block', '-----BEGIN A-----\n-----END A-----\n'],
    ['bytes that are not base64', good.replace('AQID', 'AQI!')],
  ])('refuses %s', (_name, text) => {
    expect(parsePem(good)).toHaveLength(1);
    expect(() => parsePem(text)).toThrow(expect.objectContaining({ code: 'PEM_INVALID' }));
  });

  test('refuses more than its limit', () => {
    expect(() => parsePem('a'.repeat(MAX_PEM_CHARACTERS + 1))).toThrow(/at most/);
  });
});

describe('parseDurationMs', () => {
  test.each([
    ['0', 0],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['1m0.5s', 60_500],
    ['.5s', 500],
    ['2us', 0.002],
  ])('reads %s', (text, ms) => {
    expect(parseDurationMs(text)).toBeCloseTo(ms, 9);
  });

  test.each(['', '1', 's', '-1s', '+1s', '1 s', '1s ', '1d', '1hh', '1.s', '1e3s', '9'.repeat(60)])(
    'refuses %j',
    (text) => {
      expect(() => parseDurationMs(text)).toThrow(expect.objectContaining({ code: 'DURATION_INVALID' }));
    },
  );
});

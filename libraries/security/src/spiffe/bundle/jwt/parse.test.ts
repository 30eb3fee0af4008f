import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../testing/index.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { parseJwtBundle } from './parse.ts';

const domain = TrustDomain.parse('example.org');
const ec = (namedCurve = 'prime256v1') => generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' });
const rsa = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' });
const parse = (...keys: unknown[]) => parseJwtBundle(domain, JSON.stringify({ keys })).keys;
const invalid = expect.objectContaining({ code: 'JWT_BUNDLE_INVALID' });

describe('parseJwtBundle', () => {
  test('reads the keys of an authority', () => {
    const authority = CertificateAuthority.create('example.org');
    authority.rotateJwtKey();
    const { keys, trustDomain } = parseJwtBundle(domain, authority.jwks());
    expect(keys.map(({ publicKey }) => publicKey.asymmetricKeyType)).toEqual(['ec', 'ec']);
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(2);
    expect(trustDomain).toBe(domain);
  });

  test.each([
    ['P-256', 'prime256v1'],
    ['P-384', 'secp384r1'],
    ['P-521', 'secp521r1'],
  ])('reads %s', (_name, curve) => {
    expect(parse({ ...ec(curve), kid: 'a' })[0]?.publicKey.asymmetricKeyDetails?.namedCurve).toBe(curve);
  });

  test('takes entries without use, since the agent removes it, and leaves other uses out', () => {
    const key = ec();
    expect(parse({ ...key }, { ...key, use: 'jwt-svid' })).toHaveLength(2);
    for (const use of ['x509-svid', 'sig', 'JWT-SVID', 'wit-svid', '', null])
      expect(parse({ ...key, use })).toEqual([]);
  });

  test('leaves out types and curves that it does not know, and keeps the rest', () => {
    const okp = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    const others = [okp, { kty: 'oct', k: 'AAAA' }, { kty: 'future' }, {}, ec('secp256k1')];
    expect(parse(...others, { ...rsa(), kid: 'kept', alg: 'PS256', x5c: ['ignored'] })).toMatchObject([
      { kid: 'kept', algorithm: 'PS256' },
    ]);
  });

  test('takes an empty set, which accepts no token', () => {
    expect(parse()).toEqual([]);
  });

  test.each([
    ['no JSON', 'x'],
    ['no object', '[]'],
    ['no keys', '{}'],
    ['keys that are no array', '{"keys":{}}'],
    ['keys twice', '{"keys":[],"keys":[]}'],
    ['a key that is no object', '{"keys":["a"]}'],
    ['a kid that is no text', JSON.stringify({ keys: [{ ...ec(), kid: 7 }] })],
    ['a coordinate that is missing', JSON.stringify({ keys: [{ ...ec(), x: undefined }] })],
    ['a coordinate that is not base64url', JSON.stringify({ keys: [{ ...ec(), x: 'a+b=' }] })],
    ['a point that is not on the curve', JSON.stringify({ keys: [{ ...ec(), x: 'AAAA' }] })],
    ['a private key', JSON.stringify({ keys: [{ ...ec(), d: 'AAAA' }] })],
    ['a weak RSA key', JSON.stringify({ keys: [rsa(1024)] })],
    ['too many keys', JSON.stringify({ keys: Array.from({ length: 257 }, () => ({ kty: 'x' })) })],
    ['too many bytes', ' '.repeat(1024 * 1024 + 1)],
  ])('refuses %s', (_name, text) => {
    expect(() => parseJwtBundle(domain, text)).toThrow(invalid);
  });

  test('throws nothing but SpiffeError, whatever it reads', () => {
    const member = fc.constantFrom('kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'use', 'alg');
    const value = fc.oneof(fc.constantFrom('EC', 'RSA', 'P-256', 'AQAB', 'jwt-svid', '', 1, null), fc.string());
    fc.assert(
      fc.property(fc.array(fc.dictionary(member, value), { maxLength: 4 }), (keys) => {
        try {
          parse(...keys);
        } catch (error) {
          expect(error).toBeInstanceOf(SpiffeError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

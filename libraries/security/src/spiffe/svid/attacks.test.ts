import { sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { encodeBase64Url } from '../../encoding/index.ts';
import { CertificateAuthority, JwtSigner } from '../../testing/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { verifyJwtSvid } from './jwt/verify.ts';
import { verifyX509Svid } from './x509/verify.ts';

const ID = 'spiffe://example.org/a';
const authority = CertificateAuthority.create('example.org');

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return error.code;
  }
}

describe('a genuine key that signs what it must not does not make a JWT-SVID:', () => {
  const [state] = authority.export().jwtKeys;
  if (state === undefined) throw new TypeError('the authority must have a key');
  const signer = JwtSigner.import(state);
  const bundle = authority.jwtBundle();
  const now = Math.floor(Date.now() / 1000);
  const header = JSON.stringify({ alg: 'ES256', kid: signer.kid });
  const claims = `"sub":"${ID}","aud":["me"],"exp":${now + 300}`;
  const verify = (token: string) =>
    codeOf(() => verifyJwtSvid(token, { bundles: { getJwtBundle: () => bundle }, audience: 'me' }));

  /** Signs exactly these texts, which a JSON encoder would not write. */
  function signed(headerText: string, payloadText: string): string {
    const text = `${encodeBase64Url(headerText)}.${encodeBase64Url(payloadText)}`;
    const key = { key: state?.privateKeyPem ?? '', dsaEncoding: 'ieee-p1363' as const };
    return `${text}.${encodeBase64Url(sign('sha256', Buffer.from(text), key))}`;
  }

  test.each([
    ['exp with 400 digits', `{"sub":"${ID}","aud":["me"],"exp":${'9'.repeat(400)}}`, 'JWT_MALFORMED'],
    ['exp as 1e308', `{"sub":"${ID}","aud":["me"],"exp":1e308}`, 'JWT_CLAIMS_INVALID'],
    ['exp as 1e999', `{"sub":"${ID}","aud":["me"],"exp":1e999}`, 'JWT_MALFORMED'],
    ['exp that loses digits', `{"sub":"${ID}","aud":["me"],"exp":9007199254740993}`, 'JWT_MALFORMED'],
    ['exp below zero', `{"sub":"${ID}","aud":["me"],"exp":-1}`, 'JWT_CLAIMS_INVALID'],
    ['a claim with 400 digits', `{${claims},"n":${'1'.repeat(400)}}`, 'JWT_MALFORMED'],
    ['arrays nested 17 deep', `{${claims},"n":${'['.repeat(16)}${']'.repeat(16)}}`, 'JWT_MALFORMED'],
    ['objects nested 500 deep', `{${claims},"n":${'{"a":'.repeat(500)}1${'}'.repeat(500)}}`, 'JWT_MALFORMED'],
    ['sub twice', `{${claims},"sub":"spiffe://example.org/admin"}`, 'JWT_MALFORMED'],
    ['exp twice', `{${claims},"exp":${now + 9000}}`, 'JWT_MALFORMED'],
    ['a claim twice, deep inside', `{${claims},"n":[{"a":1,"a":1}]}`, 'JWT_MALFORMED'],
    ['__proto__', `{${claims},"__proto__":{"iss":"x"}}`, 'JWT_MALFORMED'],
    ['a line end inside a string', `{${claims},"n":"a\nb"}`, 'JWT_MALFORMED'],
    ['something behind', `{${claims}}{}`, 'JWT_MALFORMED'],
  ])('%s', (_name, payload, expected) => {
    expect(verify(signed(header, `{${claims},"n":${'['.repeat(15)}${']'.repeat(15)}}`))).toBe('accepted');
    expect(verify(signed(header, payload))).toBe(expected);
  });

  test.each([
    '../../../../dev/null',
    '/dev/null',
    "' OR '1'='1",
    'http://evil.example/key',
    '__proto__',
    'constructor',
    ' ',
    '\u0000',
    '0',
    'k'.repeat(4000),
  ])('the key id %j', (kid) => {
    expect(verify(signed(header, `{${claims}}`))).toBe('accepted');
    expect(verify(signed(JSON.stringify({ alg: 'ES256', kid }), `{${claims}}`))).toBe('JWT_SIGNATURE_INVALID');
    for (const almost of [`${signer.kid} `, signer.kid.slice(1), `${signer.kid}\u0000`]) {
      const token = signed(JSON.stringify({ alg: 'ES256', kid: almost }), `{${claims}}`);
      expect(verify(token)).toBe('JWT_SIGNATURE_INVALID');
    }
  });

  test('a header that was accepted once says nothing about another token', () => {
    const token = signed(header, `{${claims}}`);
    expect([verify(token), verify(token)]).toEqual(['accepted', 'accepted']);
    const [first = '', , last = ''] = token.split('.');
    const payload = encodeBase64Url(`{${claims},"n":1}`);
    expect(verify(`${first}.${payload}.${last}`)).toBe('JWT_SIGNATURE_INVALID');
    const foreign = JSON.stringify({ alg: 'ES256', kid: signer.kid, jwk: JwtSigner.generate('ES256').jwk() });
    const options = { bundles: { getJwtBundle: () => bundle }, audience: 'me' };
    const other = signed(foreign, `{${claims}}`);
    const strict = () => codeOf(() => verifyJwtSvid(other, { ...options, strictHeaders: true }));
    expect([verify(other), strict(), verify(other), strict()]).toEqual([
      'accepted',
      'JWT_HEADER_REFUSED',
      'accepted',
      'JWT_HEADER_REFUSED',
    ]);
  });
});

describe('a chain made to hurt is refused, and the genuine one beside it accepted:', () => {
  const below = authority.issueIntermediate({ commonName: 'below', ttlSeconds: 3600 });
  const [leaf = new Uint8Array(), intermediate = new Uint8Array()] = below.issueX509Svid({
    id: ID,
    ttlSeconds: 3600,
  }).certificates;
  const bundle = authority.bundle();
  const verify = (...chain: readonly Uint8Array[]) =>
    codeOf(() => verifyX509Svid(chain, { getX509Bundle: () => bundle }));

  test('one of 17 certificates', () => {
    expect(verify(leaf, ...Array.from({ length: 15 }, () => intermediate))).toBe('accepted');
    expect(verify(leaf, ...Array.from({ length: 16 }, () => intermediate))).toBe('X509_SVID_INVALID');
  });

  test('one that is cut at any place', () => {
    expect(verify(leaf, intermediate)).toBe('accepted');
    for (let length = 0; length < leaf.length; length += 1) {
      expect(verify(leaf.subarray(0, length), intermediate)).toBe('CERTIFICATE_MALFORMED');
    }
    for (let length = 0; length < intermediate.length; length += 1) {
      expect(verify(leaf, intermediate.subarray(0, length))).toBe('CERTIFICATE_MALFORMED');
    }
    expect(verify(Buffer.concat([leaf, Uint8Array.of(0)]), intermediate)).toBe('CERTIFICATE_MALFORMED');
  });

  test.each([
    ['negative when read with a sign', [0x84, 0xff, 0xff, 0xff, 0xff]],
    ['as large as a signed number holds', [0x84, 0x7f, 0xff, 0xff, 0xff]],
    ['of five bytes', [0x85, 0x01, 0x00, 0x00, 0x00, 0x00]],
    ['of 126 bytes', [0xfe]],
    ['reserved', [0xff]],
    ['indefinite', [0x80]],
    ['zero', [0x00]],
  ])('a length that is %s', (_name, length) => {
    expect(verify(leaf, intermediate)).toBe('accepted');
    expect(verify(Uint8Array.from([0x30, ...length, ...leaf.subarray(4)]), intermediate)).toBe('CERTIFICATE_MALFORMED');
    const inner = Uint8Array.from([0x30, 0x82, leaf[2] ?? 0, leaf[3] ?? 0, 0x30, ...length, ...leaf.subarray(8)]);
    expect(verify(inner, intermediate)).toBe('CERTIFICATE_MALFORMED');
  });

  test('a subject alternative name of 2 049 bytes, or a certificate of more than 64 KiB', () => {
    const issue = (id: string, dnsNames: readonly string[]) =>
      verify(...authority.issueX509Svid({ id, dnsNames, ttlSeconds: 60 }).certificates);
    const longest = `${ID}${'a'.repeat(2048 - ID.length)}`;
    expect([issue(longest, []), issue(`${longest}a`, [])]).toEqual(['accepted', 'SPIFFE_ID_INVALID']);
    const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}.example.org`);
    expect([issue(ID, names(2000)), issue(ID, names(6000))]).toEqual(['accepted', 'CERTIFICATE_MALFORMED']);
  });

  test('intermediates that issue each other', () => {
    const twins = Array.from({ length: 14 }, () =>
      CertificateAuthority.create('example.org').issueIntermediate({ commonName: 'below', ttlSeconds: 3600 }),
    );
    const certificates = twins.map((twin) => twin.issueX509Svid({ id: ID, ttlSeconds: 60 }).certificates[1] ?? leaf);
    expect(verify(leaf, ...certificates, intermediate)).toBe('accepted');
    expect(verify(leaf, ...certificates)).toBe('X509_SVID_UNTRUSTED');
  });
});

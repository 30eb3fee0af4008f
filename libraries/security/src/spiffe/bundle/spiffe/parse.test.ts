import { describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../testing/certificate-authority.ts';
import { spiffeBundleOf } from '../../../testing/spiffe-bundles.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { verifyJwtSvid } from '../../svid/jwt/verify.ts';
import { verifyX509Svid } from '../../svid/x509/verify.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { encodeSpiffeBundle } from './encode.ts';
import { parseSpiffeBundle } from './parse.ts';

const DOMAIN = TrustDomain.parse('example.org');
const authority = CertificateAuthority.create('example.org');
const published = JSON.parse(encodeSpiffeBundle(spiffeBundleOf(authority))) as { keys: Record<string, unknown>[] };
const [x509 = {}, jwt = {}] = published.keys;

function parse(document: object | string) {
  return parseSpiffeBundle(DOMAIN, typeof document === 'string' ? document : JSON.stringify(document));
}

function refusal(document: object | string): string {
  try {
    parse(document);
  } catch (error) {
    if (error instanceof SpiffeError && error.code === 'SPIFFE_BUNDLE_INVALID') return error.message;
    throw error;
  }
  throw new Error('The document was accepted');
}

test('a bundle verifies the X509-SVIDs and the JWT-SVIDs of its trust domain', () => {
  const bundle = parse(published);
  const id = 'spiffe://example.org/a';
  const { certificates } = authority.issueX509Svid({ id, ttlSeconds: 60 });
  const token = authority.issueJwtSvid({ id, audience: 'b', ttlSeconds: 60 });
  const bundles = { getX509Bundle: () => bundle.x509, getJwtBundle: () => bundle.jwt };
  expect(verifyX509Svid(certificates, bundles).id.toString()).toBe(id);
  expect(verifyJwtSvid(token, { bundles, audience: 'b' }).id.toString()).toBe(id);
});

test('B-01: parameters that are not known are neither required nor minded', () => {
  const plain = parse(published);
  const more = parse({ ...published, extra: { a: [1] }, keys: published.keys.map((jwk) => ({ ...jwk, extra: true })) });
  expect(plain.ignored).toEqual([]);
  expect(more).toEqual(plain);
});

describe('the sequence number', () => {
  test.each([
    ['9007199254740993', 9007199254740993n],
    ['18446744073709551615', 18446744073709551615n],
    ['0', 0n],
  ])('B-02: %s is read with 64 bits', (text, expected) => {
    expect(parse(`{"spiffe_sequence":${text},"keys":[]}`).sequence).toBe(expected);
  });

  test('B-02: it may be missing', () => {
    expect(parse({ keys: [] }).sequence).toBeUndefined();
  });

  test.each(['18446744073709551616', '-1', '1.5', '"1"', 'null', `1${'0'.repeat(400)}`])(
    'B-02: %s is no 64-bit integer',
    (text) => {
      expect(refusal(`{"spiffe_sequence":${text},"keys":[]}`)).toMatch(/spiffe_sequence|too large/);
    },
  );
});

test('B-03: the refresh hint is a number of whole seconds, and may be missing', () => {
  expect(parse({ spiffe_refresh_hint: 600, keys: [] }).refreshHintSeconds).toBe(600);
  expect(parse({ keys: [] }).refreshHintSeconds).toBeUndefined();
  for (const hint of [1.5, -1, '600', null, 2 ** 40]) {
    expect(refusal({ spiffe_refresh_hint: hint, keys: [] })).toContain('spiffe_refresh_hint');
  }
});

test('B-04: without keys it is no bundle, and with an empty list it is one', () => {
  expect(parse({ keys: [] })).toMatchObject({ x509: { authorities: [] }, jwt: { keys: [] } });
  for (const document of [{}, { keys: null }, { keys: {} }, [], 'null', '"keys"', { Keys: [] }]) {
    expect(refusal(document)).toMatch(/keys is not an array|not an object/);
  }
});

test.each([
  ['of an unknown type', { ...jwt, kty: 'PQ' }],
  ['of an unknown curve', { ...jwt, crv: 'secp256k1' }],
  ['without a type', { ...jwt, kty: undefined }],
  ['whose type is the name of a method', { ...jwt, kty: 'toString' }],
  ['without a use', { ...jwt, use: undefined }],
  ['of an unknown use', { ...jwt, use: 'sig' }],
  ['of a use in other letters', { ...jwt, use: 'JWT-SVID' }],
  ['for WIT-SVIDs', { ...jwt, use: 'wit-svid' }],
])('B-05: an element %s is left out, and the others count', (_what, jwk) => {
  const bundle = parse({ keys: [jwk, ...published.keys] });
  expect(bundle.ignored).toHaveLength(1);
  expect(bundle.x509.authorities).toHaveLength(1);
  expect(bundle.jwt.keys).toHaveLength(1);
});

test('B-05: a key for JWT-SVIDs without kid is left out', () => {
  const { kid: _, ...anonymous } = jwt;
  expect(parse({ keys: [anonymous, jwt] }).jwt.keys).toHaveLength(1);
});

test('X-16: an element for X509-SVIDs without x5c is left out, and of several certificates the first counts', () => {
  const [first] = x509.x5c as string[];
  for (const x5c of [undefined, []]) {
    expect(parse({ keys: [{ ...x509, x5c }] })).toMatchObject({ x509: { authorities: [] } });
  }
  const other = Buffer.from(CertificateAuthority.create('example.org').bundle().authorities[0] ?? '').toString(
    'base64',
  );
  const { x509: bundle } = parse({ keys: [{ ...x509, x5c: [first, other] }] });
  expect(bundle.authorities.map((der) => Buffer.from(der).toString('base64'))).toEqual([first]);
});

test.each([
  ['an x5c that is not base64', { ...x509, x5c: ['%%%'] }, 'base64'],
  ['base64url in x5c', { ...x509, x5c: ['-_-_'] }, 'base64'],
  ['an x5c that is no list', { ...x509, x5c: 'MIIB' }, 'x5c'],
  ['bytes that are no certificate', { ...x509, x5c: ['AAAA'] }, 'DER'],
  ['a certificate of another key', { ...x509, x: jwt.x, y: jwt.y }, 'belong together'],
  ['a point off the curve', { ...jwt, x: jwt.y, y: jwt.x }, 'malformed'],
  ['a private key', { ...jwt, d: 'AAAA' }, 'private key'],
  ['a kid that is no text', { ...jwt, kid: 1 }, 'kid'],
  ['an element that is no object', 'x', 'not an object'],
])('a bundle with %s is refused as a whole', (_what, jwk, why) => {
  expect(parse({ keys: published.keys }).ignored).toEqual([]);
  expect(refusal({ keys: [...published.keys, jwk] })).toContain(why);
});

test.each([
  ['a duplicate parameter', '{"keys":[],"keys":[]}'],
  ['something after it', '{"keys":[]}{}'],
  ['a byte order mark', '\ufeff{"keys":[]}'],
  ['nesting without end', `{"keys":${'['.repeat(5000)}`],
])('a document with %s is refused', (_what, text) => {
  expect(refusal(text)).toContain('malformed');
});

test('a document over a megabyte and more than 256 keys are refused', () => {
  expect(refusal(`{"keys":[]${' '.repeat(1024 * 1024)}}`)).toContain('1048576');
  expect(refusal({ keys: Array.from({ length: 257 }, () => jwt) })).toContain('256');
});

test('B-06: a bundle without usable keys makes every SVID of its trust domain invalid', () => {
  const id = 'spiffe://example.org/a';
  const { certificates } = authority.issueX509Svid({ id, ttlSeconds: 60 });
  const token = authority.issueJwtSvid({ id, audience: 'b', ttlSeconds: 60 });
  const sourceOf = (document: object) => {
    const bundle = parse(document);
    return { getX509Bundle: () => bundle.x509, getJwtBundle: () => bundle.jwt };
  };
  expect(verifyX509Svid(certificates, sourceOf(published)).id.toString()).toBe(id);
  for (const keys of [[], [{ ...x509, use: 'sig' }]]) {
    expect(() => verifyX509Svid(certificates, sourceOf({ keys }))).toThrow(SpiffeError);
    expect(() => verifyJwtSvid(token, { bundles: sourceOf({ keys }), audience: 'b' })).toThrow(SpiffeError);
  }
});

test('X-17: a bundle with JWT keys only verifies no X509-SVID', () => {
  const { x509: bundle } = parse({ keys: [jwt] });
  const { certificates } = authority.issueX509Svid({ id: 'spiffe://example.org/a', ttlSeconds: 60 });
  expect(() => verifyX509Svid(certificates, { getX509Bundle: () => bundle })).toThrow('No path');
});

test('B-07: the trust domain is what the caller says, and nothing in the document changes it', () => {
  const other = TrustDomain.parse('other.org');
  const text = JSON.stringify({ ...published, trust_domain: 'example.org' });
  const bundle = parseSpiffeBundle(other, text);
  expect([bundle.trustDomain.name, bundle.x509.trustDomain.name, bundle.jwt.trustDomain.name]).toEqual([
    'other.org',
    'other.org',
    'other.org',
  ]);
});

test('B-08: what is published holds the defined parameters and no others', () => {
  const bundle = spiffeBundleOf(authority, { sequence: 2n ** 63n + 1n, refreshHintSeconds: 60 });
  const text = encodeSpiffeBundle(bundle);
  expect(text).toContain('"spiffe_sequence":9223372036854775809,');
  const document = JSON.parse(text) as { keys: object[] };
  expect(Object.keys(document)).toEqual(['spiffe_sequence', 'spiffe_refresh_hint', 'keys']);
  expect(document.keys.map((jwk) => Object.keys(jwk).sort())).toEqual([
    ['crv', 'kty', 'use', 'x', 'x5c', 'y'],
    ['crv', 'kid', 'kty', 'use', 'x', 'y'],
  ]);
  expect(parse(text)).toMatchObject({ sequence: bundle.sequence, refreshHintSeconds: 60, ignored: [] });
});

test('J-15: a JWT key without kid is not published', () => {
  const bundle = spiffeBundleOf(authority);
  const keys = bundle.jwt.keys.map(({ publicKey }) => ({ publicKey }));
  expect(() => encodeSpiffeBundle({ ...bundle, jwt: { trustDomain: DOMAIN, keys } })).toThrow(TypeError);
});

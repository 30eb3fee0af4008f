import { describe, expect, test } from 'vitest';
import { CertificateAuthority, JwtSigner } from '../../../testing/index.ts';
import type { JwtBundle } from '../../bundle/jwt/jwt-bundle.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { parseJwtSvidInsecure } from './parse.ts';
import { type JwtVerifyOptions, verifyJwtSvid } from './verify.ts';

const ID = 'spiffe://example.org/a';
const home = CertificateAuthority.create('example.org');
const bundles = { getJwtBundle: () => home.jwtBundle() };
const [state] = home.export().jwtKeys;
if (state === undefined) throw new TypeError('authority must hold a JWT key');
const signer = JwtSigner.import(state);
const now = Math.floor(Date.now() / 1000);
const claims = { sub: ID, aud: ['me'], iat: now, exp: now + 300 };
const good = signer.sign(claims);
const sourceOf = (bundle: JwtBundle) => ({ getJwtBundle: () => bundle });
const verify = (token: string, options: Partial<JwtVerifyOptions> = {}) =>
  verifyJwtSvid(token, { bundles, audience: 'me', ...options });
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return error.code;
  }
};

test('J-02: a header that no issuer may set is refused with strictHeaders', () => {
  const extra = signer.sign(claims, { cty: 'x' });
  expect(verify(good, { strictHeaders: true }).id.toString()).toBe(ID);
  expect(verify(extra).id.toString()).toBe(ID);
  expect(codeOf(() => verify(extra, { strictHeaders: true }))).toBe('JWT_HEADER_REFUSED');
});

test('J-17: a token is accepted again, with the same jti', () => {
  const token = signer.sign({ ...claims, jti: 'once' });
  expect([verify(token), verify(token)].map(({ claims: { jti } }) => jti)).toEqual(['once', 'once']);
});

test('J-16: without a JWT key of its trust domain no token is valid', () => {
  const empty = sourceOf({ trustDomain: home.trustDomain, keys: [] });
  expect(codeOf(() => verify(good))).toBe('accepted');
  expect(codeOf(() => verify(good, { bundles: empty }))).toBe('JWT_SIGNATURE_INVALID');
  expect(codeOf(() => verify(good, { bundles: { getJwtBundle: () => undefined } }))).toBe('BUNDLE_NOT_FOUND');
});

describe('parseJwtSvidInsecure', () => {
  test('reads a token from the agent without keys', () => {
    const svid = parseJwtSvidInsecure(good, 'me', { hint: 'internal' });
    expect(svid).toMatchObject({ audience: ['me'], hint: 'internal', expiresAtMs: claims.exp * 1000 });
    expect(parseJwtSvidInsecure(JwtSigner.generate('ES256').sign(claims)).id.toString()).toBe(ID);
  });

  test('J-07: what is no JWT-SVID or lacks an audience that was asked for is refused also from the agent', () => {
    expect(codeOf(() => parseJwtSvidInsecure('x'))).toBe('JWT_MALFORMED');
    expect(codeOf(() => parseJwtSvidInsecure(signer.sign({ ...claims, exp: undefined })))).toBe('JWT_CLAIMS_INVALID');
    expect(codeOf(() => parseJwtSvidInsecure(good, ['me', 'you']))).toBe('JWT_AUDIENCE_REFUSED');
  });
});

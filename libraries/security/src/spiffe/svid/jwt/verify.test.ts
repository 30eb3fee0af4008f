import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { createLocalJWKSet, jwtVerify, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { encodeBase64Url } from '../../../encoding/index.ts';
import { CertificateAuthority, JwtSigner } from '../../../testing/index.ts';
import type { JwtBundle, JwtBundleSource } from '../../bundle/jwt/jwt-bundle.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { type JwtVerifyOptions, verifyJwtSvid } from './verify.ts';

const ID = 'spiffe://example.org/a';
const ISSUER = 'https://oidc.example.org';
const home = CertificateAuthority.create('example.org');
const abroad = CertificateAuthority.create('foreign.org');
const bundles = sourceOf(home.jwtBundle(), abroad.jwtBundle());
const signer = signerOf(home);
const now = Math.floor(Date.now() / 1000);
const claims = { sub: ID, aud: ['me'], iat: now, exp: now + 300, iss: ISSUER };
const good = signer.sign(claims);

/** The authority's own key, to sign what the authority would not. */
function signerOf(authority: CertificateAuthority): JwtSigner {
  const [state] = authority.export().jwtKeys;
  if (state === undefined) throw new TypeError('authority must hold a JWT key');
  return JwtSigner.import(state);
}

function sourceOf(...held: readonly JwtBundle[]): JwtBundleSource {
  return { getJwtBundle: (domain) => held.find(({ trustDomain }) => trustDomain.equals(domain)) };
}

function verify(token: string, options: Partial<JwtVerifyOptions> = {}) {
  return verifyJwtSvid(token, { bundles, audience: 'me', issuer: ISSUER, nowMs: now * 1000, ...options });
}

/** Signs exactly these texts, so that they may be malformed. */
function signText(header: string, payload: string): string {
  const signed = `${encodeBase64Url(header)}.${encodeBase64Url(payload)}`;
  return `${signed}.${encodeBase64Url(sign('sha256', Buffer.from(signed), { key: privateKey(), dsaEncoding: 'ieee-p1363' }))}`;
}

function privateKey(): string {
  return signer.export().privateKeyPem;
}

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return error.code;
  }
};

describe('verifyJwtSvid accepts', () => {
  test('a token of its own trust domain and one of a federated one', () => {
    const svid = verify(good);
    expect(svid.id.toString()).toBe(ID);
    expect(svid.token.reveal()).toBe(good);
    expect([svid.issuedAtMs, svid.expiresAtMs]).toEqual([claims.iat * 1000, claims.exp * 1000]);
    expect(svid).toMatchObject({ audience: ['me'], claims });
    const visitor = abroad.issueJwtSvid({
      id: 'spiffe://foreign.org/b',
      audience: 'me',
      ttlSeconds: 60,
      issuer: ISSUER,
    });
    expect(verify(visitor).id.trustDomain.name).toBe('foreign.org');
  });

  test.each([
    ['J-04: a token without kid is accepted', signer.sign(claims, { kid: undefined })],
    ['J-05: a token without typ is accepted', signer.sign(claims, { typ: undefined })],
    ['J-05: a token with typ JOSE is accepted', signer.sign(claims, { typ: 'JOSE' })],
    ['J-02: a token with a header that nobody knows is accepted', signer.sign(claims, { cty: 'x' })],
    ['J-08: a token with one audience as a text is accepted', signer.sign({ ...claims, aud: 'me' })],
    [
      'J-18: a token with several audiences is accepted when one of them is the verifier',
      signer.sign({ ...claims, aud: ['you', 'me'] }),
    ],
    ['J-12: claims that nobody knows are kept and ignored', signer.sign({ ...claims, roles: ['x'] })],
    ['J-10: a token without iat is accepted', signer.sign({ ...claims, iat: undefined })],
    ['J-10: an iat in the future alone is no reason to refuse', signer.sign({ ...claims, iat: now + 3600 })],
    ['J-09: a fraction in exp is accepted', signer.sign({ ...claims, exp: now + 0.5 })],
  ])('%s', (_name, token) => {
    expect(verify(token).id.toString()).toBe(ID);
  });

  test('any issuer when none is expected', () => {
    const token = signer.sign({ ...claims, iss: undefined });
    expect(codeOf(() => verify(token))).toBe('JWT_ISSUER_REFUSED');
    const { issuer: _issuer, ...open } = { bundles, audience: 'me', issuer: ISSUER };
    expect(verifyJwtSvid(token, open).id.toString()).toBe(ID);
  });

  test('the token of a key that was rotated out of use but not out of the bundle', () => {
    const authority = CertificateAuthority.import(home.export());
    authority.rotateJwtKey();
    const newer = sourceOf(authority.jwtBundle());
    expect(verify(good, { bundles: newer }).id.toString()).toBe(ID);
    const next = authority.issueJwtSvid({ id: ID, audience: 'me', ttlSeconds: 60, issuer: ISSUER });
    expect(verify(next, { bundles: newer }).id.toString()).toBe(ID);
    expect(codeOf(() => verify(next))).toBe('JWT_SIGNATURE_INVALID');
  });
});

describe('verifyJwtSvid and jose agree on', () => {
  const ecKey = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
  const rsaKeys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  test.each([
    ['ES256', ecKey('P-256')],
    ['ES384', ecKey('P-384')],
    ['ES512', ecKey('P-521')],
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => [alg, rsaKeys] as const),
  ] as const)('J-03, J-11: an algorithm verifies with the key it goes with and no other: %s', async (alg, keys) => {
    const domain = TrustDomain.parse('example.org');
    const source = sourceOf({ trustDomain: domain, keys: [{ kid: 'k', publicKey: keys.publicKey }] });
    const token = await new SignJWT(claims).setProtectedHeader({ alg, kid: 'k', typ: 'JWT' }).sign(keys.privateKey);
    expect(verify(token, { bundles: source }).id.toString()).toBe(ID);
    const changed = `${token.slice(0, -8)}${token.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA'}`;
    expect(codeOf(() => verify(changed, { bundles: source }))).toMatch(/^JWT_(SIGNATURE_INVALID|MALFORMED)$/);
    await expect(jwtVerify(changed, keys.publicKey)).rejects.toThrow();
    const others = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256'].filter((other) => other !== alg);
    const restricted = others.map((algorithm) => ({ kid: 'k', algorithm, publicKey: keys.publicKey }));
    const wrong = sourceOf({ trustDomain: domain, keys: restricted });
    expect(codeOf(() => verify(token, { bundles: wrong }))).toBe('JWT_SIGNATURE_INVALID');
  });

  test('J-02, J-03: what the authority mints', async () => {
    for (const jwtAlgorithm of ['ES256', 'RS256'] as const) {
      const authority = CertificateAuthority.create('example.org', { jwtAlgorithm });
      const token = authority.issueJwtSvid({ id: ID, audience: 'me', ttlSeconds: 60 });
      const keys = createLocalJWKSet({
        keys: JSON.parse(Buffer.from(authority.jwks()).toString()).keys.map((key: object) => ({ ...key, use: 'sig' })),
      });
      const { payload } = await jwtVerify(token, keys, { audience: 'me', typ: 'JWT' });
      expect(payload.sub).toBe(ID);
    }
  });
});

describe('an attack is refused:', () => {
  const json = JSON.stringify;
  const header = { alg: 'ES256', kid: signer.kid, typ: 'JWT' };
  const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');
  const attacker = JwtSigner.generate('ES256');
  const publicPem = signer.publicKey.export({ type: 'spki', format: 'pem' });
  const hmac = (key: string | Buffer): string => {
    const signed = `${encodeBase64Url(json({ ...header, alg: 'HS256' }))}.${goodPayload}`;
    return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
  };
  const der = sign('sha256', Buffer.from(`${goodHeader}.${goodPayload}`), privateKey()).toString('base64url');
  const big = { ...claims, padding: 'x'.repeat(9000) };
  const deep = `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`;

  const attacks: readonly (readonly [string, string, string])[] = [
    // The form.
    ['an empty token', '', 'JWT_MALFORMED'],
    ['J-01: a token of two parts is refused', `${goodHeader}.${goodPayload}`, 'JWT_MALFORMED'],
    ['J-01: a token of four parts is refused', `${good}.x`, 'JWT_MALFORMED'],
    ['J-01: a token with an empty signature is refused', `${goodHeader}.${goodPayload}.`, 'JWT_MALFORMED'],
    [
      'J-01: a token in the JSON serialisation is refused',
      json({ protected: goodHeader, payload: goodPayload, signature: goodSignature }),
      'JWT_MALFORMED',
    ],
    ['a space in front', ` ${good}`, 'JWT_MALFORMED'],
    ['a line end behind', `${good}\n`, 'JWT_MALFORMED'],
    ['padding', `${good}=`, 'JWT_MALFORMED'],
    ['the alphabet of base64', `${goodHeader}.${goodPayload}.+/${goodSignature.slice(2)}`, 'JWT_MALFORMED'],
    [
      'garbage between the characters',
      `${goodHeader}.${goodPayload.slice(0, 4)}!${goodPayload.slice(4)}.${goodSignature}`,
      'JWT_MALFORMED',
    ],
    ['a header that is no JSON', signText('x', json(claims)), 'JWT_MALFORMED'],
    ['a header that is an array', signText('[]', json(claims)), 'JWT_MALFORMED'],
    ['a payload that is no object', signText(json(header), '"x"'), 'JWT_MALFORMED'],
    ['a payload nested deep', signText(json(header), deep), 'JWT_MALFORMED'],
    [
      'duplicate sub',
      signText(json(header), `${json(claims).slice(0, -1)},"sub":"spiffe://example.org/admin"}`),
      'JWT_MALFORMED',
    ],
    [
      'duplicate aud, escaped',
      signText(json(header), `${json(claims).slice(0, -1)},"\\u0061ud":"you"}`),
      'JWT_MALFORMED',
    ],
    ['duplicate alg', signText(`${json(header).slice(0, -1)},"alg":"none"}`, json(claims)), 'JWT_MALFORMED'],
    ['a kid that is a number', signer.sign(claims, { kid: 7 }), 'JWT_MALFORMED'],
    ['an oversized token', signer.sign(big), 'JWT_TOO_LARGE'],
    // The header.
    [
      'J-03: alg none is refused',
      `${encodeBase64Url(json({ alg: 'none' }))}.${goodPayload}.AA`,
      'JWT_ALGORITHM_REFUSED',
    ],
    ['J-03: alg NONE is refused', signer.sign(claims, { alg: 'NONE' }), 'JWT_ALGORITHM_REFUSED'],
    ['J-03: no alg is refused', signer.sign(claims, { alg: undefined }), 'JWT_ALGORITHM_REFUSED'],
    ['J-03: alg in a list is refused', signer.sign(claims, { alg: ['ES256'] }), 'JWT_ALGORITHM_REFUSED'],
    ['J-03: alg in lower case is refused', signer.sign(claims, { alg: 'es256' }), 'JWT_ALGORITHM_REFUSED'],
    [
      'J-03: alg named like a built-in is refused',
      signer.sign(claims, { alg: 'constructor' }),
      'JWT_ALGORITHM_REFUSED',
    ],
    ['J-03: HS256 with the public key is refused', hmac(publicPem), 'JWT_ALGORITHM_REFUSED'],
    ['J-03: HS256 with an empty key is refused', hmac(Buffer.alloc(1)), 'JWT_ALGORITHM_REFUSED'],
    ['J-03: EdDSA is refused', signer.sign(claims, { alg: 'EdDSA' }), 'JWT_ALGORITHM_REFUSED'],
    ['J-03: ES256K is refused', signer.sign(claims, { alg: 'ES256K' }), 'JWT_ALGORITHM_REFUSED'],
    ['J-02: crit is refused', signer.sign(claims, { crit: ['exp'] }), 'JWT_CRITICAL_HEADER_REFUSED'],
    [
      'J-02: an unencoded payload is refused',
      signer.sign(claims, { b64: false, crit: ['b64'] }),
      'JWT_CRITICAL_HEADER_REFUSED',
    ],
    ['J-02: an empty crit is refused', signer.sign(claims, { crit: [] }), 'JWT_CRITICAL_HEADER_REFUSED'],
    ['J-05: a WIT-SVID is refused', signer.sign(claims, { typ: 'wit+jwt' }), 'JWT_TYPE_REFUSED'],
    ['J-05: an access token is refused', signer.sign(claims, { typ: 'at+jwt' }), 'JWT_TYPE_REFUSED'],
    ['J-05: a typ that is no text is refused', signer.sign(claims, { typ: null }), 'JWT_TYPE_REFUSED'],
    // The subject and its trust domain.
    ['J-06: no sub is refused', signer.sign({ ...claims, sub: undefined }), 'JWT_SUBJECT_INVALID'],
    ['J-06: a sub in a list is refused', signer.sign({ ...claims, sub: [ID] }), 'JWT_SUBJECT_INVALID'],
    ['J-06: a sub that is no SPIFFE ID is refused', signer.sign({ ...claims, sub: 'alice' }), 'JWT_SUBJECT_INVALID'],
    [
      'J-06: a sub with a relative path is refused',
      signer.sign({ ...claims, sub: `${ID}/../admin` }),
      'JWT_SUBJECT_INVALID',
    ],
    ['an unknown trust domain', signer.sign({ ...claims, sub: 'spiffe://unknown.org/a' }), 'BUNDLE_NOT_FOUND'],
    // The signature: one code for all.
    [
      'ID-13: a token by the key of another trust domain is refused',
      abroad.issueJwtSvid({ id: ID, audience: 'me', ttlSeconds: 60, issuer: ISSUER }),
      'JWT_SIGNATURE_INVALID',
    ],
    [
      'ID-13: a token by the kid of another trust domain is refused',
      signer.sign({ ...claims, sub: 'spiffe://foreign.org/a' }),
      'JWT_SIGNATURE_INVALID',
    ],
    ['an unknown kid', signer.sign(claims, { kid: 'unknown' }), 'JWT_SIGNATURE_INVALID'],
    ['a known kid on another key', attacker.sign(claims, { kid: signer.kid }), 'JWT_SIGNATURE_INVALID'],
    ['no kid on another key', attacker.sign(claims, { kid: undefined }), 'JWT_SIGNATURE_INVALID'],
    ['J-02: an embedded key is never used', attacker.sign(claims, { jwk: attacker.jwk() }), 'JWT_SIGNATURE_INVALID'],
    [
      'J-02: an address of keys is never used',
      attacker.sign(claims, { jku: 'https://evil.example/keys', x5u: 'https://evil.example' }),
      'JWT_SIGNATURE_INVALID',
    ],
    [
      'J-02: a certificate in the header is never used',
      attacker.sign(claims, { x5c: ['AAAA'] }),
      'JWT_SIGNATURE_INVALID',
    ],
    [
      'changed claims',
      `${goodHeader}.${encodeBase64Url(json({ ...claims, sub: 'spiffe://example.org/admin' }))}.${goodSignature}`,
      'JWT_SIGNATURE_INVALID',
    ],
    [
      'a signature of zeros',
      `${goodHeader}.${goodPayload}.${encodeBase64Url(Buffer.alloc(64))}`,
      'JWT_SIGNATURE_INVALID',
    ],
    ['a signature in DER', `${goodHeader}.${goodPayload}.${der}`, 'JWT_SIGNATURE_INVALID'],
    [
      'a signature that is too long',
      `${goodHeader}.${goodPayload}.${encodeBase64Url(Buffer.concat([Buffer.from(goodSignature, 'base64url'), Buffer.alloc(1)]))}`,
      'JWT_SIGNATURE_INVALID',
    ],
    ['J-11: an algorithm for another curve is refused', signer.sign(claims, { alg: 'ES384' }), 'JWT_SIGNATURE_INVALID'],
    [
      'J-11: an algorithm for another kind of key is refused',
      signer.sign(claims, { alg: 'RS256' }),
      'JWT_SIGNATURE_INVALID',
    ],
    // The claims of a genuine token.
    ['J-09: no exp is refused', signer.sign({ ...claims, exp: undefined }), 'JWT_CLAIMS_INVALID'],
    ['J-09: exp as a text is refused', signer.sign({ ...claims, exp: String(now + 300) }), 'JWT_CLAIMS_INVALID'],
    ['J-09: exp null is refused', signer.sign({ ...claims, exp: null }), 'JWT_CLAIMS_INVALID'],
    ['J-09: exp beyond all time is refused', signer.sign({ ...claims, exp: 9e15 }), 'JWT_CLAIMS_INVALID'],
    ['J-10: nbf as a text is refused', signer.sign({ ...claims, nbf: 'now' }), 'JWT_CLAIMS_INVALID'],
    ['J-07: no aud is refused', signer.sign({ ...claims, aud: undefined }), 'JWT_CLAIMS_INVALID'],
    ['J-08: an empty aud is refused', signer.sign({ ...claims, aud: [] }), 'JWT_CLAIMS_INVALID'],
    ['J-08: an aud that holds a number is refused', signer.sign({ ...claims, aud: ['me', 1] }), 'JWT_CLAIMS_INVALID'],
    ['J-08: an aud that is an object is refused', signer.sign({ ...claims, aud: { me: true } }), 'JWT_CLAIMS_INVALID'],
    ['J-09: an end in the past is refused', signer.sign({ ...claims, exp: now - 31 }), 'JWT_EXPIRED'],
    ['J-10: a beginning in the future is refused', signer.sign({ ...claims, nbf: now + 31 }), 'JWT_NOT_YET_VALID'],
    ['J-07: another audience is refused', signer.sign({ ...claims, aud: ['you'] }), 'JWT_AUDIENCE_REFUSED'],
    [
      'J-07: an audience that starts alike is refused',
      signer.sign({ ...claims, aud: ['me.evil', 'm'] }),
      'JWT_AUDIENCE_REFUSED',
    ],
    ['another issuer', signer.sign({ ...claims, iss: 'https://evil.example' }), 'JWT_ISSUER_REFUSED'],
    ['an issuer that starts alike', signer.sign({ ...claims, iss: `${ISSUER}.evil` }), 'JWT_ISSUER_REFUSED'],
    ['an issuer with a slash more', signer.sign({ ...claims, iss: `${ISSUER}/` }), 'JWT_ISSUER_REFUSED'],
    ['an issuer in a list', signer.sign({ ...claims, iss: [ISSUER] }), 'JWT_ISSUER_REFUSED'],
  ];

  test.each(attacks)('%s', (_name, token, expected) => {
    expect(codeOf(() => verify(good))).toBe('accepted');
    expect(codeOf(() => verify(token))).toBe(expected);
  });

  test('an end, an audience and an issuer that nobody signed are not judged', () => {
    const wrong = { ...claims, exp: 1, aud: ['you'], iss: 'x' };
    expect(codeOf(() => verify(signer.sign(wrong)))).toBe('JWT_EXPIRED');
    expect(codeOf(() => verify(attacker.sign(wrong, { kid: signer.kid })))).toBe('JWT_SIGNATURE_INVALID');
  });

  test('an unknown key, a wrong key and a wrong signature cannot be told apart by the message either', () => {
    const [a = '', b = ''] = [attacker.sign(claims), attacker.sign(claims, { kid: signer.kid })];
    const messages = [a, b, `${goodHeader}.${goodPayload}.AAAA`].map((token) => {
      try {
        return verify(token).id.toString();
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(new Set(messages).size).toBe(1);
  });

  test('J-04, J-16: a token without kid never reaches keys of another trust domain', () => {
    const token = signerOf(abroad).sign(claims, { kid: undefined });
    expect(codeOf(() => verify(signer.sign(claims, { kid: undefined })))).toBe('accepted');
    expect(codeOf(() => verify(token))).toBe('JWT_SIGNATURE_INVALID');
    const mixed = { getJwtBundle: () => abroad.jwtBundle() };
    expect(codeOf(() => verify(token, { bundles: mixed }))).toBe('BUNDLE_NOT_FOUND');
  });
});

describe('the options of verifyJwtSvid', () => {
  test('J-09, J-10: clocks may differ by 30 seconds unless told otherwise', () => {
    const at = (seconds: number, leewaySeconds?: number) =>
      codeOf(() =>
        verify(good, { nowMs: (now + seconds) * 1000, ...(leewaySeconds === undefined ? {} : { leewaySeconds }) }),
      );
    expect([at(329.999), at(330)]).toEqual(['accepted', 'JWT_EXPIRED']);
    expect([at(299.999, 0), at(300, 0)]).toEqual(['accepted', 'JWT_EXPIRED']);
    expect([at(419.999, 120), at(420, 120)]).toEqual(['accepted', 'JWT_EXPIRED']);
    const later = signer.sign({ ...claims, nbf: now + 30 });
    expect([codeOf(() => verify(later)), codeOf(() => verify(later, { leewaySeconds: 29 }))]).toEqual([
      'accepted',
      'JWT_NOT_YET_VALID',
    ]);
  });

  test('J-07: the verifier must name an audience', () => {
    expect(verify(good, { audience: ['you', 'me'] }).audience).toEqual(['me']);
    for (const audience of ['', [], ['me', '']]) expect(() => verify(good, { audience })).toThrow(TypeError);
  });

  test('must have a leeway from 0 to 120', () => {
    expect(verify(good, { leewaySeconds: 120 }).id.toString()).toBe(ID);
    for (const leewaySeconds of [-1, 121, Number.NaN])
      expect(() => verify(good, { leewaySeconds })).toThrow(RangeError);
  });
});

test('neither a verified token nor an error shows the token', () => {
  const svid = verify(good);
  const signature = good.split('.')[2] ?? 'missing';
  for (const text of [inspect(svid, { depth: 9, showHidden: true }), JSON.stringify(svid), `${svid.token}`]) {
    expect(text).not.toContain(signature);
  }
  for (const token of [`${good}=`, good.replace(/.$/, '!'), signer.sign({ ...claims, exp: 1 })]) {
    try {
      verify(token);
      expect.unreachable();
    } catch (error) {
      expect(inspect(error, { depth: 9 })).not.toContain(token.slice(-60, -4));
    }
  }
});

test('verifyJwtSvid throws nothing but SpiffeError, and accepts no changed token', () => {
  const character = fc.constantFrom(...'ABab01-_.+/= {}"');
  const changed = fc
    .tuple(fc.nat(good.length - 1), character)
    .map(([at, by]) => good.slice(0, at) + by + good.slice(at + 1));
  const made = fc.tuple(fc.json(), fc.json()).map(([header, payload]) => signText(header, payload));
  const headed = fc.json().map((payload) => signText(JSON.stringify({ alg: 'ES256', kid: signer.kid }), payload));
  fc.assert(
    fc.property(fc.oneof(changed, made, headed, fc.string()), (token) => {
      if (token !== good) expect(codeOf(() => verify(token))).not.toBe('accepted');
    }),
    { numRuns: 1000 },
  );
});

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { CertificateAuthority, JwtSigner, WitIssuer, WorkloadApiServer, WorkloadIssuer } from '../../testing/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { verifyJwtSvid } from '../svid/jwt/verify.ts';
import { TrustDomain } from '../trust-domain.ts';
import { WorkloadApiClient } from '../workload-api/client.ts';
import {
  createWimseProof,
  fetchWitBundles,
  fetchWitSvids,
  parseWitBundle,
  parseWitSvid,
  verifyWitSvid,
  type WitVerifyOptions,
  watchWitSvids,
  wimseProof,
} from './index.ts';

const ID = 'spiffe://example.org/a';
const AUDIENCE = 'https://api.example.org/orders';
const domain = TrustDomain.parse('example.org');
const issuer = new WitIssuer({ trustDomain: domain });
const { token, privateKeyJwk } = issuer.issue(ID);
const svid = parseWitSvid(token, privateKeyJwk);
const claims = svid.claims as { cnf: { jwk: Record<string, unknown> } };
const now = Math.floor(Date.now() / 1000);
const bundle = parseWitBundle(domain, issuer.jwks());
const bundles = { getWitBundle: (asked: TrustDomain) => (asked.equals(domain) ? bundle : undefined) };
const sign = (changes: object, header: Readonly<Record<string, unknown>> = {}) =>
  issuer.signer.sign({ ...claims, ...changes }, { typ: 'wit+jwt', ...header });
const verify = (text: string, options: Partial<WitVerifyOptions> = {}) =>
  verifyWitSvid(text, { bundles, proof: () => true, ...options });
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return error.code;
  }
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('verifyWitSvid', () => {
  test.each([
    ['T-01: a WIT-SVID is accepted', token],
    ['T-01: unknown headers are ignored', sign({}, { extra: 1 })],
    [
      'T-02: extra claims, an iat in the future and a jti used before are no reason to refuse',
      sign({ iat: now + 9999, jti: 'x', more: 1 }),
    ],
    ['T-02: an end within the leeway is accepted', sign({ exp: now - 20 })],
  ])('%s', (_name, text) => {
    expect(verify(text).id.toString()).toBe(ID);
  });

  const jwk = claims.cnf.jwk;
  test.each([
    ['T-01: the JSON form is refused', JSON.stringify({ payload: '', signature: '' }), 'WIT_MALFORMED'],
    ['T-01: another type is refused', sign({}, { typ: 'JWT' }), 'WIT_MALFORMED'],
    ['T-01: no type is refused', sign({}, { typ: undefined }), 'WIT_MALFORMED'],
    ['T-01: an algorithm outside of the nine is refused', sign({}, { alg: 'none' }), 'WIT_MALFORMED'],
    ['T-01: HMAC is refused', sign({}, { alg: 'HS256' }), 'WIT_MALFORMED'],
    ['T-01: a critical header is refused', sign({}, { crit: ['exp'] }), 'WIT_MALFORMED'],
    ['T-01: a token without kid is refused', sign({}, { kid: undefined }), 'WIT_CLAIMS_INVALID'],
    ['T-02: an audience is refused', sign({ aud: ['me'] }), 'WIT_CLAIMS_INVALID'],
    ['T-02: a subject that is no SPIFFE ID is refused', sign({ sub: 'alice' }), 'WIT_CLAIMS_INVALID'],
    ['T-02: no subject is refused', sign({ sub: undefined }), 'WIT_CLAIMS_INVALID'],
    ['T-02: no end is refused', sign({ exp: undefined }), 'WIT_CLAIMS_INVALID'],
    ['T-02: no confirmation key is refused', sign({ cnf: undefined }), 'WIT_CLAIMS_INVALID'],
    ['T-02: a confirmation by thumbprint is refused', sign({ cnf: { jkt: 'x' } }), 'WIT_CLAIMS_INVALID'],
    [
      'T-02: a confirmation key without alg is refused',
      sign({ cnf: { jwk: { ...jwk, alg: undefined } } }),
      'WIT_CLAIMS_INVALID',
    ],
    [
      'T-02: a confirmation key whose alg does not fit it is refused',
      sign({ cnf: { jwk: { ...jwk, alg: 'RS256' } } }),
      'WIT_CLAIMS_INVALID',
    ],
    [
      'T-02: a private confirmation key is refused',
      sign({ cnf: { jwk: JSON.parse(privateKeyJwk) } }),
      'WIT_CLAIMS_INVALID',
    ],
    ['T-02: an end in the past is refused', sign({ exp: now - 31 }), 'WIT_EXPIRED'],
    ['T-02: a beginning in the future is refused', sign({ nbf: now + 60 }), 'WIT_NOT_YET_VALID'],
    [
      'T-04: a key that the bundle does not hold is refused',
      JwtSigner.generate('ES256').sign(claims, { typ: 'wit+jwt' }),
      'WIT_SIGNATURE_INVALID',
    ],
    [
      'T-04: another key under a known kid is refused',
      JwtSigner.generate('ES256').sign(claims, { typ: 'wit+jwt', kid: issuer.signer.kid }),
      'WIT_SIGNATURE_INVALID',
    ],
    ['T-04: a trust domain without a bundle is refused', sign({ sub: 'spiffe://else.org/a' }), 'BUNDLE_NOT_FOUND'],
  ])('%s', (_name, text, expected) => {
    expect(codeOf(() => verify(token))).toBe('accepted');
    expect(codeOf(() => verify(text))).toBe(expected);
  });

  test('T-02: the leeway is at most two minutes', () => {
    expect(codeOf(() => verify(sign({ exp: now - 100 }), { leewaySeconds: 120 }))).toBe('accepted');
    expect(() => verify(token, { leewaySeconds: 121 })).toThrow(RangeError);
  });

  test('throws nothing but SpiffeError, and accepts no changed token', () => {
    const character = fc.constantFrom(...'ABab01-_.+/= {}"');
    const changed = fc
      .tuple(fc.nat(token.length - 1), character)
      .map(([at, by]) => token.slice(0, at) + by + token.slice(at + 1));
    fc.assert(
      fc.property(fc.oneof(changed, fc.string()), (text) => {
        if (text !== token) expect(codeOf(() => verify(text))).not.toBe('accepted');
      }),
      { numRuns: 300 },
    );
  });
});

describe('proof of possession', () => {
  const proofOf = (options: Partial<Parameters<typeof createWimseProof>[1]> = {}) =>
    createWimseProof(svid, { audience: AUDIENCE, ...options });
  const judged = (proof: string, options: Partial<Parameters<typeof wimseProof>[1]> = {}, text = token) =>
    codeOf(() => verify(text, { proof: wimseProof(proof, { audience: AUDIENCE, ...options }) }));

  test('T-03: a token is never accepted without a check of it', () => {
    const { proof: _none, ...without } = { bundles, proof: () => true };
    expect(verify(token).id.toString()).toBe(ID);
    expect(() => verifyWitSvid(token, without as WitVerifyOptions)).toThrow(TypeError);
    expect(codeOf(() => verify(token, { proof: () => false }))).toBe('WIT_PROOF_REFUSED');
    expect(codeOf(() => verify(token, { proof: () => undefined as unknown as boolean }))).toBe('WIT_PROOF_REFUSED');
  });

  test('T-03: it is never a bearer token', () => {
    const keys = [{ kid: issuer.signer.kid, publicKey: issuer.signer.publicKey }];
    const jwtBundles = { getJwtBundle: () => ({ trustDomain: domain, keys }) };
    const bearer = (text: string) => codeOf(() => verifyJwtSvid(text, { bundles: jwtBundles, audience: 'me' }));
    expect(bearer(issuer.signer.sign({ ...claims, aud: 'me' }))).toBe('accepted');
    expect(bearer(sign({ aud: 'me' }))).toBe('JWT_TYPE_REFUSED');
  });

  test('T-03: a proof counts for its token, its audience and a short while only', () => {
    const proof = proofOf();
    expect(judged(proof)).toBe('accepted');
    expect(judged(proof, { audience: 'https://else.example.org' })).toBe('WIT_PROOF_REFUSED');
    expect(judged(proof, {}, sign({ more: 1 }))).toBe('WIT_PROOF_REFUSED');
    expect(judged(proofOf({ nowMs: Date.now() - 61_000 }))).toBe('WIT_PROOF_REFUSED');
    expect(judged(proofOf({ ttlSeconds: 300 }))).toBe('WIT_PROOF_REFUSED');
    expect(judged(proofOf({ ttlSeconds: 300 }), { maxLifeSeconds: 300 })).toBe('accepted');
    expect(judged('x')).toBe('WIT_PROOF_REFUSED');
  });

  test('T-03: a proof by another key, or none at all, is refused', () => {
    const other = issuer.issue(ID);
    const thief = { ...parseWitSvid(other.token, other.privateKeyJwk), token: svid.token };
    expect(judged(createWimseProof(thief, { audience: AUDIENCE }))).toBe('WIT_PROOF_REFUSED');
    expect(judged(token)).toBe('WIT_PROOF_REFUSED');
  });

  test('has options within their ranges', () => {
    expect(() => proofOf({ ttlSeconds: 301 })).toThrow(RangeError);
    expect(() => proofOf({ audience: '' })).toThrow(TypeError);
    expect(() => wimseProof('x', { audience: '' })).toThrow(TypeError);
    expect(() => wimseProof('x', { audience: 'a', maxLifeSeconds: 301 })).toThrow(RangeError);
    expect(() => wimseProof('x', { audience: 'a', leewaySeconds: -1 })).toThrow(RangeError);
  });
});

describe('parseWitBundle', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const parse = (...keys: unknown[]) => parseWitBundle(domain, JSON.stringify({ keys })).keys.map(({ kid }) => kid);

  test('T-04: only keys of use wit-svid are taken', () => {
    const wit = { ...key, kid: 'a', use: 'wit-svid' };
    const others = ['jwt-svid', 'x509-svid', 'WIT-SVID', undefined].map((use, index) => ({
      ...key,
      kid: `${index}`,
      use,
    }));
    expect(parse(wit, ...others, { kty: 'future', kid: 'f', use: 'wit-svid' })).toEqual(['a']);
    expect(parse()).toEqual([]);
  });

  test('T-04, W-18: a kid that is missing or not its own refuses the bundle', () => {
    const wit = { ...key, kid: 'a', use: 'wit-svid' };
    expect(parse(wit, { ...wit, kid: 'b' })).toEqual(['a', 'b']);
    for (const second of [
      wit,
      { ...wit, kid: undefined },
      { ...wit, kid: '' },
      { ...key, kid: 'a', use: 'jwt-svid' },
    ]) {
      expect(codeOf(() => parse(wit, second))).toBe('WIT_BUNDLE_INVALID');
    }
    for (const text of ['', '[]', '{}', '{"keys":{}}']) {
      expect(codeOf(() => parseWitBundle(domain, text))).toBe('WIT_BUNDLE_INVALID');
    }
  });
});

test('W-18: the private key is a JWK and belongs to the token, and is never shown', () => {
  expect(parseWitSvid(token, privateKeyJwk, { hint: 'internal' })).toMatchObject({
    hint: 'internal',
    algorithm: 'ES256',
  });
  const publicJwk = JSON.stringify(claims.cnf.jwk);
  for (const wrong of [issuer.issue(ID).privateKeyJwk, publicJwk, '', '[]', '-----BEGIN PRIVATE KEY-----']) {
    expect(codeOf(() => parseWitSvid(token, wrong))).toBe('WIT_KEY_MISMATCH');
  }
  const shown = `${inspect(svid, { depth: 9, showHidden: true })}${JSON.stringify(svid)}`;
  expect(shown).not.toContain(JSON.parse(privateKeyJwk).d);
  expect(shown).not.toContain(token.split('.')[2]);
});

describe('the WIT profile of the Workload API', () => {
  async function serve(wit?: WitIssuer) {
    const authority = CertificateAuthority.create('example.org');
    const workloads = new WorkloadIssuer({ authority });
    const path = join(mkdtempSync(join(tmpdir(), 'nh-wit-')), 'agent.sock');
    const ids = [ID, 'spiffe://example.org/b'];
    const server = await WorkloadApiServer.listen({
      issuer: workloads,
      path,
      ids,
      ...(wit === undefined ? {} : { wit }),
    });
    const client = new WorkloadApiClient({ endpoint: server.endpoint });
    cleanups.push(
      () => workloads.close(),
      () => server.close(),
      () => client.close(),
    );
    return { server, client };
  }

  test('W-01, W-18, W-19: SVIDs come with their keys in order, bundles as text, and verify', async () => {
    const { client } = await serve(issuer);
    const svids = await fetchWitSvids(client);
    expect(svids.map(({ id }) => id.toString())).toEqual([ID, 'spiffe://example.org/b']);
    expect(await fetchWitSvids(client, { subject: 'spiffe://example.org/b' })).toHaveLength(1);
    const received = await fetchWitBundles(client);
    const [own] = svids;
    const proof = wimseProof(createWimseProof(own, { audience: AUDIENCE }), { audience: AUDIENCE });
    const source = { getWitBundle: (asked: TrustDomain) => received.get(asked.name) };
    expect(verifyWitSvid(own.token.reveal(), { bundles: source, proof }).id.toString()).toBe(ID);
  });

  test('W-18: a watch brings each message until it is aborted', async () => {
    const { client, server } = await serve(issuer);
    const stop = new AbortController();
    const tokens: string[] = [];
    await watchWitSvids(
      client,
      {
        update: ([first]) => {
          tokens.push(first.token.reveal());
          if (tokens.length === 1) server.dropStreams();
          else stop.abort();
        },
      },
      { signal: stop.signal },
    );
    expect(new Set(tokens).size).toBe(2);
  });

  test('W-17, E-11: an agent without the profile ends the call for good, and X.509 goes on', async () => {
    const { client } = await serve();
    const refusal = { code: 'WORKLOAD_API_UNIMPLEMENTED', retryable: false };
    await expect(fetchWitSvids(client)).rejects.toMatchObject(refusal);
    await expect(fetchWitBundles(client)).rejects.toMatchObject(refusal);
    const { signal } = new AbortController();
    await expect(watchWitSvids(client, { update: () => undefined }, { signal })).rejects.toMatchObject(refusal);
    expect((await client.fetchX509Context()).svids).toHaveLength(2);
  });
});

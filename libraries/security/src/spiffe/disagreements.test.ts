// Where the specification leaves room, or other implementations read it differently: one test a decision. The page
// docs/decisions/ names what others do.
import { X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientReadableStream, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { CertificateAuthority, FakeClock, JwtSigner, WorkloadApiServer, WorkloadIssuer } from '../testing/index.ts';
import {
  endpointTarget,
  type JwtVerifyOptions,
  parseJwtBundle,
  parseSpiffeBundle,
  SpiffeId,
  verifyJwtSvid,
  verifyX509Svid,
  X509Source,
} from './index.ts';
import { watchStream } from './workload-api/watch.ts';

const ID = 'spiffe://example.org/a';
const home = CertificateAuthority.create('example.org');
const abroad = CertificateAuthority.create('foreign.org');
const domain = home.trustDomain;
const now = Math.floor(Date.now() / 1000);
const signer = signerOf(home);
const claims = { sub: ID, aud: ['me'], iat: now, exp: now + 300 };
const code = (expected: string) => expect.objectContaining({ code: expected });
const x509Of = (authority: CertificateAuthority) => ({ getX509Bundle: () => authority.bundle() });

function signerOf(authority: CertificateAuthority): JwtSigner {
  const [state] = authority.export().jwtKeys;
  if (state === undefined) throw new TypeError('authority must hold a JWT key');
  return JwtSigner.import(state);
}

/** Verifies with keys as the Workload API sends them. */
function verify(
  token: string,
  keys: readonly object[] = [signer.jwk()],
  options: Partial<JwtVerifyOptions> = {},
): string {
  const bundle = parseJwtBundle(domain, JSON.stringify({ keys }));
  const bundles = { getJwtBundle: () => bundle };
  return verifyJwtSvid(token, { bundles, audience: 'me', ...options }).id.toString();
}

describe('tokens and their keys', () => {
  const { kid: _kid, use: _use, ...bare } = signer.jwk() as Record<string, unknown>;

  test('a JWT-SVID without kid is accepted by a key of its own trust domain, and by no other', () => {
    expect(verify(signer.sign(claims, { kid: undefined }))).toBe(ID);
    expect(() => verify(signerOf(abroad).sign(claims, { kid: undefined }))).toThrow(code('JWT_SIGNATURE_INVALID'));
  });

  test('a key without use is taken from the Workload API, since SPIRE removes it, and left out of a SPIFFE bundle', () => {
    const key = { ...bare, kid: signer.kid };
    expect(verify(signer.sign(claims), [key])).toBe(ID);
    expect(parseSpiffeBundle(domain, JSON.stringify({ keys: [key] })).jwt.keys).toEqual([]);
    expect(parseSpiffeBundle(domain, JSON.stringify({ keys: [signer.jwk()] })).jwt.keys).toHaveLength(1);
  });

  test('a key of another use is left out, also from the Workload API', () => {
    expect(verify(signer.sign(claims), [signer.jwk()])).toBe(ID);
    for (const use of ['x509-svid', 'wit-svid', 'sig']) {
      expect(() => verify(signer.sign(claims), [{ ...signer.jwk(), use }])).toThrow(code('JWT_SIGNATURE_INVALID'));
    }
  });

  test('a key of an unknown type is left out alone, and a SPIFFE bundle says so', () => {
    const keys = [{ kty: 'future', kid: 'f', use: 'jwt-svid' }, signer.jwk()];
    expect(verify(signer.sign(claims), keys)).toBe(ID);
    const { jwt, ignored } = parseSpiffeBundle(domain, JSON.stringify({ keys }));
    expect([jwt.keys.length, ignored.length]).toEqual([1, 1]);
  });

  test('a key without kid serves tokens without kid when the Workload API sends it, and is left out of a SPIFFE bundle', () => {
    expect(verify(signer.sign(claims, { kid: undefined }), [bare])).toBe(ID);
    expect(() => verify(signer.sign(claims), [bare])).toThrow(code('JWT_SIGNATURE_INVALID'));
    const keys = [{ ...bare, use: 'jwt-svid' }, signer.jwk()];
    expect(parseSpiffeBundle(domain, JSON.stringify({ keys })).jwt.keys.map(({ kid }) => kid)).toEqual([signer.kid]);
  });

  test('of two certificates in x5c the first counts', () => {
    const [own, other] = [home, abroad].map((authority) => Buffer.from(authority.bundle().authorities[0] ?? []));
    const x5c = [own, other].map((der) => der?.toString('base64'));
    const { x509 } = parseSpiffeBundle(domain, JSON.stringify({ keys: [{ ...jwkOf(home), use: 'x509-svid', x5c }] }));
    expect(x509.authorities.map((der) => Buffer.from(der))).toEqual([own]);
  });

  test('a verifier without an audience is a mistake and throws', () => {
    expect(verify(signer.sign(claims))).toBe(ID);
    for (const audience of ['', []])
      expect(() => verify(signer.sign(claims), undefined, { audience })).toThrow(TypeError);
  });

  test('clocks may differ by 30 seconds, by 120 at most, and by none when told so', () => {
    const past = (seconds: number, leewaySeconds?: number) => () =>
      verify(signer.sign({ ...claims, exp: now - seconds }), undefined, {
        nowMs: now * 1000,
        ...(leewaySeconds === undefined ? {} : { leewaySeconds }),
      });
    expect(past(29)()).toBe(ID);
    expect(past(30)).toThrow(code('JWT_EXPIRED'));
    expect(past(0, 0)).toThrow(code('JWT_EXPIRED'));
    expect(past(119, 120)()).toBe(ID);
    expect(past(0, 121)).toThrow(RangeError);
  });
});

describe('names', () => {
  test('upper case in scheme and trust domain is refused unless normalising is asked for', () => {
    for (const text of ['SPIFFE://example.org/A', 'spiffe://EXAMPLE.org/A']) {
      expect(() => SpiffeId.parse(text)).toThrow(/SPIFFE ID|trust domain/);
      expect(SpiffeId.parse(text, { normalizeCase: true }).toString()).toBe('spiffe://example.org/A');
    }
  });

  test('a unix endpoint with a host is refused', () => {
    expect(endpointTarget('unix:///run/agent.sock')).toBe('unix:/run/agent.sock');
    for (const endpoint of ['unix://host/agent.sock', 'unix://foo']) {
      expect(() => endpointTarget(endpoint)).toThrow(code('ENDPOINT_INVALID'));
    }
  });

  test('a leaf whose ID has no path is refused as a peer', () => {
    const issue = (id: string) => home.issueX509Svid({ id, ttlSeconds: 60 }).certificates;
    expect(verifyX509Svid(issue(ID), x509Of(home)).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(issue('spiffe://example.org'), x509Of(home))).toThrow(code('X509_SVID_INVALID'));
  });
});

describe('the agent', () => {
  test('a stream that the agent cancels is opened again; one that we cancel is not', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const streams: EventEmitter[] = [];
    const cancelled = () => Object.assign(new Error('cancelled'), { code: status.CANCELLED, details: '' });
    const ended = watchStream<string, string>({
      call: 'Test',
      open() {
        const stream = Object.assign(new EventEmitter(), { cancel: () => stream.emit('error', cancelled()) });
        streams.push(stream);
        return stream as unknown as ClientReadableStream<string>;
      },
      parse: (message) => message,
      update: () => undefined,
      clock,
      random: () => 1,
      signal: stop.signal,
    });
    streams[0]?.emit('error', cancelled());
    await clock.advance(200);
    expect(streams).toHaveLength(2);
    stop.abort();
    await ended;
    await clock.advance(60_000);
    expect(streams).toHaveLength(2);
  });

  test('a denial in mid stream withdraws the SVID, after a grace that is none by default, and is told', async () => {
    const issuer = new WorkloadIssuer({ authority: home });
    const path = join(mkdtempSync(join(tmpdir(), 'nh-deny-')), 'agent.sock');
    const server = await WorkloadApiServer.listen({ issuer, path, ids: [ID] });
    const source = await X509Source.open({ endpoint: server.endpoint });
    try {
      expect(source.getX509Svid().id.toString()).toBe(ID);
      const told = new Promise<string>((resolve) => source.onWithdraw((error) => resolve(error.code)));
      server.setIds([]);
      expect(await told).toBe('WORKLOAD_API_PERMISSION_DENIED');
      expect(() => source.getX509Svid()).toThrow(code('SVID_WITHDRAWN'));
    } finally {
      await source.close();
      await server.close();
      issuer.close();
    }
  });
});

/** The public key of the authority, as a JWK. */
function jwkOf(authority: CertificateAuthority): object {
  const [der = new Uint8Array()] = authority.bundle().authorities;
  return new X509Certificate(der).publicKey.export({ format: 'jwk' });
}

import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { matchAny, matchId, type SpiffeId } from '../spiffe/index.ts';
import { CertificateAuthority, FixedIdentity, x509SvidOf } from '../testing/index.ts';
import { type SpiffeServerOptions, WebCertificate } from '../tls/index.ts';
import { GRPC } from './testing/grpc-kind.ts';
import { HTTP2, HTTPS, UNDICI } from './testing/http-kinds.ts';
import { TLS } from './testing/socket-kind.ts';
import { type CallerOptions, NOBODY, type TlsKind } from './testing/tls-kind.ts';

const KINDS = [TLS, HTTPS, HTTP2, UNDICI, GRPC];
const authority = CertificateAuthority.create('example.org');
const foreign = CertificateAuthority.create('foreign.org');
const web = CertificateAuthority.create('web.test');
const SERVER = 'spiffe://example.org/server';
const CLIENT = 'spiffe://example.org/client';
const OTHER = 'spiffe://example.org/other';

let server: FixedIdentity;
let client: FixedIdentity;
const cleanups: (() => unknown)[] = [];
beforeEach(() => {
  server = FixedIdentity.issue(authority, SERVER);
  client = FixedIdentity.issue(authority, CLIENT);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(kind: TlsKind, options: SpiffeServerOptions = { identity: server, authorize: matchAny() }) {
  const serving = await kind.serve(options);
  cleanups.push(() => serving.close());
  return serving.port;
}

type Rules = CallerOptions extends infer T
  ? T extends unknown
    ? Omit<T, 'host' | 'port'> & { host?: string }
    : never
  : never;

function caller(kind: TlsKind, port: number, rules: Rules = { identity: client, authorize: matchAny() }) {
  const made = kind.caller({ host: '127.0.0.1', ...rules, port });
  cleanups.push(() => made.close());
  return made;
}

/** What a new client is answered. */
const ask = (kind: TlsKind, port: number, rules?: Rules) => caller(kind, port, rules).ask();

function renew(identity: FixedIdentity, id: string): void {
  identity.setX509Svid(x509SvidOf(authority.issueX509Svid({ id, ttlSeconds: 3600 })));
}

/** A bundle of the trust domain whose authority is another now. */
const replaced = () => CertificateAuthority.create('example.org').bundle();

function webCertificate(dnsName = 'localhost', issuer = web): WebCertificate {
  return new WebCertificate(webPem(dnsName, issuer));
}

function webPem(dnsName: string, issuer = web) {
  const { certificateChainPem, privateKey } = issuer.issueTlsCertificate({ dnsNames: [dnsName], ttlSeconds: 3600 });
  return { certificateChainPem, privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

describe.each(KINDS)('mutual TLS with $name', (kind) => {
  test('lets the right peers talk, and the handler knows who calls', async () => {
    const port = await serve(kind, { identity: server, authorize: matchId(CLIENT) });
    expect(await ask(kind, port, { identity: client, authorize: matchId(SERVER) })).toBe(CLIENT);
  });

  test('refuses another SPIFFE ID at either end', async () => {
    const port = await serve(kind, { identity: server, authorize: matchId(CLIENT) });
    expect(await ask(kind, port)).toBe(CLIENT);
    await expect(ask(kind, port, { identity: client, authorize: matchId(OTHER) })).rejects.toThrow(/not authorized/);
    const other = FixedIdentity.issue(authority, OTHER);
    await expect(ask(kind, port, { identity: other, authorize: matchAny() })).rejects.toThrow();
  });

  test('refuses a trust domain without a bundle at either end', async () => {
    const port = await serve(kind);
    expect(await ask(kind, port)).toBe(CLIENT);
    const visitor = FixedIdentity.issue(foreign, 'spiffe://foreign.org/client', [authority.bundle()]);
    await expect(ask(kind, port, { identity: visitor, authorize: matchAny() })).rejects.toThrow();
    const abroad = await serve(kind, {
      identity: FixedIdentity.issue(foreign, 'spiffe://foreign.org/server', [authority.bundle()]),
      authorize: matchAny(),
    });
    await expect(ask(kind, abroad)).rejects.toThrow(/no X.509 bundle/);
  });

  test('refuses a client without a certificate, unless it is only requested', async () => {
    const anonymous = { bundles: client, authorize: matchId(SERVER) };
    const requesting = await serve(kind, { identity: server, authorize: matchAny(), clientCertificate: 'request' });
    expect(await ask(kind, requesting, anonymous)).toBe(NOBODY);
    expect(await ask(kind, requesting)).toBe(CLIENT);
    await expect(ask(kind, await serve(kind), anonymous)).rejects.toThrow();
  });

  test('shows the new SVIDs of both ends in the next handshake', async () => {
    const seen: string[] = [];
    const port = await serve(kind);
    const rules = { identity: client, authorize: (id: SpiffeId) => seen.push(id.toString()) > 0 };
    expect(await ask(kind, port, rules)).toBe(CLIENT);
    renew(server, `${SERVER}/2`);
    renew(client, `${CLIENT}/2`);
    expect(await ask(kind, port, rules)).toBe(`${CLIENT}/2`);
    expect(seen).toEqual([SERVER, `${SERVER}/2`]);
  });
});

describe.each(KINDS)('TLS and web variants with $name', (kind) => {
  test('a server that asks for no certificate proves its ID to a client that has none', async () => {
    const port = await serve(kind, { identity: server, clientCertificate: 'none' });
    expect(await ask(kind, port, { bundles: client, authorize: matchId(SERVER) })).toBe(NOBODY);
    expect(await ask(kind, port)).toBe(NOBODY);
    await expect(ask(kind, port, { bundles: client, authorize: matchId(OTHER) })).rejects.toThrow(/not authorized/);
    const foreigners = { getX509Bundle: () => foreign.bundle() };
    await expect(ask(kind, port, { bundles: foreigners, authorize: matchAny() })).rejects.toThrow(/no X.509 bundle/);
  });

  test('a server with a certificate of the web admits only callers with an SVID, and shows a new one at once', async () => {
    const certificate = webCertificate();
    const options = { bundles: server, authorize: matchId(CLIENT), webCertificate: certificate };
    const port = await serve(kind, options);
    const rules = { identity: client, webPki: { ca: web.rootPem }, host: 'localhost' };
    expect(await ask(kind, port, rules)).toBe(CLIENT);
    await expect(ask(kind, port, { ...rules, identity: FixedIdentity.issue(authority, OTHER) })).rejects.toThrow();
    // It has no ID to prove to those who ask for one.
    await expect(ask(kind, port)).rejects.toThrow();
    const next = CertificateAuthority.create('next.test');
    certificate.replace(webPem('localhost', next));
    await expect(ask(kind, port, rules)).rejects.toThrow();
    expect(await ask(kind, port, { ...rules, webPki: { ca: next.rootPem } })).toBe(CLIENT);
  });

  test('a certificate of the web for another name or by another root is refused, whatever the environment says', async () => {
    const bundles = server;
    const rules = { identity: client, webPki: { ca: web.rootPem }, host: 'localhost' };
    const good = await serve(kind, { bundles, authorize: matchAny(), webCertificate: webCertificate() });
    expect(await ask(kind, good, rules)).toBe(CLIENT);
    const renamed = await serve(kind, { bundles, authorize: matchAny(), webCertificate: webCertificate('other.test') });
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    // Node warns of the variable, which is set on purpose here.
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    await expect(ask(kind, renamed, rules)).rejects.toThrow(/refused: .*altnames/);
    await expect(ask(kind, good, { ...rules, webPki: { ca: foreign.rootPem } })).rejects.toThrow(/refused/);
    // Without roots of its own it trusts those of Node, which do not know this one.
    await expect(ask(kind, good, { ...rules, webPki: {} })).rejects.toThrow(/refused/);
    expect(await ask(kind, good, rules)).toBe(CLIENT);
  });
});

describe.each(KINDS)('the age of connections with $name', (kind) => {
  const age = { maxAgeMs: 150, maxAgeGraceMs: 30_000 };
  const ends = kind.clientAges ? (['server', 'client'] as const) : (['server'] as const);

  test.each(ends)(
    'limited by the %s, a client sees the new SVIDs without a failed request',
    async (end) => {
      const seen = new Set<string>();
      const port = await serve(kind, { identity: server, authorize: matchAny(), ...(end === 'server' ? age : {}) });
      const looping = caller(kind, port, {
        identity: client,
        authorize: (id) => seen.add(id.toString()).size > 0,
        ...(end === 'client' ? age : {}),
      });
      for (const suffix of ['/2', '/3']) {
        expect(await looping.ask()).toMatch(CLIENT);
        renew(server, `${SERVER}${suffix}`);
        renew(client, `${CLIENT}${suffix}`);
        let answer = '';
        while (answer !== `${CLIENT}${suffix}`) answer = await looping.ask();
        expect(seen).toContain(`${SERVER}${suffix}`);
      }
    },
    30_000,
  );

  test('unlimited, a client keeps its connection', async () => {
    const port = await serve(kind);
    const looping = caller(kind, port);
    expect(await looping.ask()).toBe(CLIENT);
    renew(client, `${CLIENT}/2`);
    for (let round = 0; round < 20; round += 1) expect(await looping.ask()).toBe(CLIENT);
  });
});

describe.each(KINDS)('a bundle that loses its authority, with $name', (kind) => {
  test.each(['server', 'client'] as const)(
    'ends the connections of the %s that asks for it, and no others',
    async (end) => {
      for (const onTrustLost of ['keep', 'close'] as const) {
        server = FixedIdentity.issue(authority, SERVER);
        client = FixedIdentity.issue(authority, CLIENT);
        const identity = end === 'server' ? server : client;
        const own = { onTrustLost };
        const port = await serve(kind, { identity: server, authorize: matchAny(), ...(end === 'server' ? own : {}) });
        const open = caller(kind, port, { identity: client, authorize: matchAny(), ...(end === 'client' ? own : {}) });
        expect(await open.ask()).toBe(CLIENT);
        const { trustDomain, authorities } = replaced();
        identity.setX509Bundle({ trustDomain, authorities: [...authorities, ...authority.bundle().authorities] });
        expect(await open.ask()).toBe(CLIENT);
        identity.setX509Bundle({ trustDomain, authorities });
        if (onTrustLost === 'keep') expect(await open.ask()).toBe(CLIENT);
        else await expect(open.ask()).rejects.toThrow();
      }
    },
  );
});

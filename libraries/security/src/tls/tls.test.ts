import { execFile } from 'node:child_process';
import { constants } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import * as tls from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { matchAny, matchId, matchMemberOf, type SpiffeError } from '../spiffe/index.ts';
import { CertificateAuthority, FixedIdentity, x509SvidOf } from '../testing/index.ts';
import { connectTls } from './connect.ts';
import type { SpiffeServerOptions } from './guard.ts';
import { peerSpiffeId, peerX509Svid, verifyPeer } from './peer.ts';
import { secureContextOptions } from './secure-context.ts';
import { tlsServer } from './server.ts';

const authority = CertificateAuthority.create('example.org');
const foreign = CertificateAuthority.create('foreign.org');
const SERVER = 'spiffe://example.org/server';
const CLIENT = 'spiffe://example.org/client';
const server = FixedIdentity.issue(authority, SERVER);
const client = FixedIdentity.issue(authority, CLIENT);

const opened: { destroy?: () => void; close?: () => void }[] = [];
afterEach(() => {
  for (const resource of opened.splice(0).reverse()) (resource.destroy ?? resource.close)?.call(resource);
});

/** A server that answers each peer with the ID it sees; `refusals` collects what it refused. */
async function serve(options: Partial<SpiffeServerOptions> = {}) {
  const refusals: SpiffeError[] = [];
  const listening = tlsServer({ identity: server, authorize: matchAny(), ...options }, (socket) => {
    socket.on('error', () => {}).end(`hello ${peerSpiffeId(socket) ?? 'nobody'}`);
  });
  listening.on('tlsClientError', (error) => refusals.push(error as SpiffeError));
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  opened.push(listening);
  return { port: (listening.address() as AddressInfo).port, refusals, listening };
}

function dial(port: number, options: Partial<Parameters<typeof connectTls>[0]> = {}): Promise<tls.TLSSocket> {
  return connectTls({ identity: client, authorize: matchId(SERVER), host: '127.0.0.1', port, ...options });
}

/** What the server said until it closed; empty when it refused. */
async function readAll(socket: tls.TLSSocket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  if (!socket.closed) await once(socket, 'close');
  return text;
}

/** A client of no scruples: Node's own, with whatever certificate. */
async function rawConnect(port: number, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  opened.push(socket);
  return socket;
}

describe('a handshake between two workloads', () => {
  test('tells each end who the other is', async () => {
    const { port } = await serve({ authorize: matchId(CLIENT) });
    const socket = await dial(port);
    expect(peerSpiffeId(socket)?.toString()).toBe(SERVER);
    expect(peerX509Svid(socket)?.chain).toHaveLength(2);
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect(await readAll(socket)).toBe(`hello ${CLIENT}`);
  });

  test('works through intermediate authorities on both ends', async () => {
    const upper = authority.issueIntermediate({ commonName: 'upper', ttlSeconds: 600, pathLength: 1 });
    const lower = upper.issueIntermediate({ commonName: 'lower', ttlSeconds: 600 });
    const { port } = await serve({ identity: FixedIdentity.issue(lower, SERVER) });
    const socket = await dial(port, { identity: FixedIdentity.issue(lower, CLIENT) });
    expect(peerX509Svid(socket)?.chain).toHaveLength(4);
    expect(await readAll(socket)).toBe(`hello ${CLIENT}`);
  });

  test('works when the bundle holds an intermediate authority instead of the root', async () => {
    const middle = authority.issueIntermediate({ commonName: 'middle', ttlSeconds: 600 });
    const der = x509SvidOf(middle.issueX509Svid({ id: CLIENT, ttlSeconds: 60 })).certificates[1] ?? new Uint8Array();
    const bundle = { trustDomain: authority.trustDomain, authorities: [der] };
    const ends = [SERVER, CLIENT].map((id) => {
      const identity = FixedIdentity.issue(middle, id);
      identity.setX509Bundle(bundle);
      return identity;
    });
    const [identity = server, peer = client] = ends;
    const { port } = await serve({ identity });
    expect(await readAll(await dial(port, { identity: peer }))).toBe(`hello ${CLIENT}`);
  });

  test('works between federated trust domains, and only while the bundle is held', async () => {
    const federated = FixedIdentity.issue(authority, SERVER, [foreign.bundle()]);
    const { port, refusals } = await serve({ identity: federated, authorize: matchMemberOf('foreign.org') });
    const visitor = FixedIdentity.issue(foreign, 'spiffe://foreign.org/visitor', [authority.bundle()]);
    expect(await readAll(await dial(port, { identity: visitor }))).toBe('hello spiffe://foreign.org/visitor');
    federated.deleteX509Bundle(foreign.trustDomain);
    expect(await readAll(await dial(port, { identity: visitor }))).toBe('');
    expect(refusals.map(({ code }) => code)).toEqual(['BUNDLE_NOT_FOUND']);
  });
});

describe('a server refuses', () => {
  const trusting = [authority.bundle(), foreign.bundle()];
  const hour = { ttlSeconds: 3600 };
  const cases = {
    ID_NOT_AUTHORIZED: FixedIdentity.issue(authority, 'spiffe://example.org/other'),
    BUNDLE_NOT_FOUND: FixedIdentity.issue(foreign, 'spiffe://foreign.org/client', trusting),
    // Claims our trust domain, signed by another authority.
    X509_SVID_UNTRUSTED: new FixedIdentity(x509SvidOf(foreign.issueX509Svid({ id: CLIENT, ...hour })), trusting),
    X509_SVID_EXPIRED: new FixedIdentity(
      x509SvidOf(authority.issueX509Svid({ id: CLIENT, ttlSeconds: -60, notBeforeMs: Date.now() - 3_600_000 })),
      trusting,
    ),
    X509_SVID_NOT_YET_VALID: new FixedIdentity(
      x509SvidOf(authority.issueX509Svid({ id: CLIENT, ...hour, notBeforeMs: Date.now() + 60_000 })),
      trusting,
    ),
  };

  test.each(Object.entries(cases))('a client with %s', async (code, identity) => {
    const { port, refusals } = await serve({ authorize: matchId(CLIENT) });
    expect(await readAll(await dial(port))).toBe(`hello ${CLIENT}`);
    expect(await readAll(await dial(port, { identity }))).toBe('');
    expect(refusals.map((error) => error.code)).toEqual([code]);
  });

  test('a client without a certificate, unless certificates are only requested', async () => {
    const required = await serve();
    expect(await readAll(await rawConnect(required.port, {}))).toBe('');
    expect(required.refusals.map(({ code }) => code)).toEqual(['PEER_CERTIFICATE_MISSING']);
    const requested = await serve({ clientCertificate: 'request', authorize: matchId(CLIENT) });
    expect(await readAll(await rawConnect(requested.port, {}))).toBe('hello nobody');
    expect(await readAll(await dial(requested.port, { identity: cases.ID_NOT_AUTHORIZED }))).toBe('');
  });

  test('TLS 1.2', async () => {
    const { port } = await serve();
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
    const [error] = await once(socket, 'error');
    expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  });

  test('a stolen certificate without its key', async () => {
    const { cert } = secureContextOptions(client.getX509Svid());
    const { key } = secureContextOptions(cases.ID_NOT_AUTHORIZED.getX509Svid());
    expect(() => tls.createSecureContext({ cert, key } as tls.SecureContextOptions)).toThrow(/key values mismatch/);
  });

  test('everybody while its own identity is withdrawn', async () => {
    const identity = FixedIdentity.issue(authority, SERVER);
    const svid = identity.getX509Svid();
    const { port, refusals } = await serve({ identity });
    expect(await readAll(await dial(port))).not.toBe('');
    identity.setX509Svid(undefined);
    expect(await readAll(await dial(port))).toBe('');
    expect(refusals.map(({ code }) => code)).toEqual(['SVID_WITHDRAWN']);
    identity.setX509Svid(svid);
    expect(await readAll(await dial(port))).not.toBe('');
  });
});

describe('a client refuses', () => {
  test('a server with another ID, of a foreign trust domain or signed by a foreign authority', async () => {
    const good = await serve();
    await expect(dial(good.port)).resolves.toBeDefined();
    await expect(dial(good.port, { authorize: matchId(CLIENT) })).rejects.toMatchObject({ code: 'ID_NOT_AUTHORIZED' });
    const abroad = await serve({ identity: FixedIdentity.issue(foreign, 'spiffe://foreign.org/server') });
    await expect(dial(abroad.port, { authorize: matchAny() })).rejects.toMatchObject({ code: 'BUNDLE_NOT_FOUND' });
    const forged = x509SvidOf(foreign.issueX509Svid({ id: SERVER, ttlSeconds: 60 }));
    const imposter = await serve({ identity: new FixedIdentity(forged, [authority.bundle()]) });
    await expect(dial(imposter.port)).rejects.toMatchObject({ code: 'X509_SVID_UNTRUSTED' });
  });

  test('a plain TLS server of the same authority', async () => {
    const { certificateChainPem, privateKey } = authority.issueTlsCertificate({
      dnsNames: ['localhost'],
      ttlSeconds: 60,
    });
    const plain = tls.createServer({
      cert: certificateChainPem,
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    });
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    opened.push(plain);
    const { port } = plain.address() as AddressInfo;
    await expect(dial(port, { authorize: matchAny() })).rejects.toMatchObject({ code: 'X509_SVID_INVALID' });
  });

  test('to wait: a deadline, an abort and a closed port end the attempt', async () => {
    const silent = createServer((socket) => opened.push(socket.on('error', () => {})));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await expect(dial(port, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'TLS_CONNECT_FAILED', retryable: true });
    const abort = new AbortController();
    const pending = dial(port, { signal: abort.signal });
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await expect(dial(port, { signal: abort.signal })).rejects.toBe(reason);
    silent.close();
    await expect(dial(port)).rejects.toMatchObject({ code: 'TLS_CONNECT_FAILED' });
  });
});

describe('rotation', () => {
  test('reaches new handshakes of both ends and leaves open connections alone', async () => {
    const [from, to] = [FixedIdentity.issue(authority, SERVER), FixedIdentity.issue(authority, CLIENT)];
    const sockets: tls.TLSSocket[] = [];
    const listening = tlsServer({ identity: from, authorize: matchId(CLIENT) }, (socket) => {
      sockets.push(socket);
      socket.on('error', () => {}).pipe(socket);
    });
    listening.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    opened.push(listening);
    const { port } = listening.address() as AddressInfo;
    const echo = async (socket: tls.TLSSocket, text: string): Promise<string> => {
      socket.write(text);
      return String((await once(socket, 'data'))[0]);
    };
    const before = await dial(port, { identity: to });
    opened.push(before);
    expect(await echo(before, 'one')).toBe('one');
    const leaf = (socket: tls.TLSSocket | undefined): Buffer | undefined => socket?.getPeerCertificate().raw;
    const old = { server: leaf(before), client: leaf(sockets[0]) };

    from.setX509Svid(x509SvidOf(authority.issueX509Svid({ id: SERVER, ttlSeconds: 60 })));
    to.setX509Svid(x509SvidOf(authority.issueX509Svid({ id: CLIENT, ttlSeconds: 60 })));
    const after = await dial(port, { identity: to });
    opened.push(after);
    expect(await echo(after, 'two')).toBe('two');
    expect(leaf(after)).toEqual(Buffer.from(from.getX509Svid().certificates[0] ?? []));
    expect(leaf(sockets[1])).toEqual(Buffer.from(to.getX509Svid().certificates[0] ?? []));
    expect([leaf(after), leaf(sockets[1])]).not.toEqual([old.server, old.client]);
    expect(await echo(before, 'three')).toBe('three');
  });

  test('of the bundle reaches new handshakes', async () => {
    const next = CertificateAuthority.create('example.org');
    const identity = FixedIdentity.issue(authority, SERVER);
    const { port, refusals } = await serve({ identity });
    const renewed = new FixedIdentity(FixedIdentity.issue(next, CLIENT).getX509Svid(), [authority.bundle()]);
    expect(await readAll(await dial(port, { identity: renewed }))).toBe('');
    expect(refusals.map(({ code }) => code)).toEqual(['X509_SVID_UNTRUSTED']);
    identity.setX509Bundle({
      trustDomain: authority.trustDomain,
      authorities: [...authority.bundle().authorities, ...next.bundle().authorities],
    });
    expect(await readAll(await dial(port, { identity: renewed }))).toBe(`hello ${CLIENT}`);
  });

  test('ends its subscription when the server closes', async () => {
    const identity = FixedIdentity.issue(authority, SERVER);
    const { listening } = await serve({ identity });
    expect(identity.listenerCount).toBe(1);
    listening.close();
    await once(listening, 'close');
    expect(identity.listenerCount).toBe(0);
  });
});

describe('session resumption', () => {
  const options = { ...secureContextOptions(client.getX509Svid()), secureOptions: 0 };

  /** Connects, takes a ticket if one comes, and connects again with it. */
  async function resume(port: number): Promise<{ tickets: number; reused: boolean; answer: string }> {
    const first = await rawConnect(port, options);
    const sessions: Buffer[] = [];
    first.on('session', (session) => sessions.push(session));
    await readAll(first);
    const session = sessions.at(-1) ?? first.getSession();
    const second = await rawConnect(port, { ...options, ...(session === undefined ? {} : { session }) });
    const reused = second.isSessionReused();
    return { tickets: sessions.length, reused, answer: await readAll(second) };
  }

  test('works with an ordinary server, so that the next tests can fail', async () => {
    const ordinary = tls.createServer(
      { ...secureContextOptions(server.getX509Svid()), secureOptions: 0, requestCert: true, rejectUnauthorized: false },
      (socket) => socket.on('error', () => {}).end('hello'),
    );
    ordinary.listen(0, '127.0.0.1');
    await once(ordinary, 'listening');
    opened.push(ordinary);
    expect(await resume((ordinary.address() as AddressInfo).port)).toMatchObject({ reused: true, answer: 'hello' });
  });

  test('is not offered, before and after a rotation', async () => {
    const identity = FixedIdentity.issue(authority, SERVER);
    const { port } = await serve({ identity });
    expect(await resume(port)).toMatchObject({ reused: false, answer: `hello ${CLIENT}` });
    identity.setX509Svid(x509SvidOf(authority.issueX509Svid({ id: SERVER, ttlSeconds: 60 })));
    expect(await resume(port)).toMatchObject({ reused: false, answer: `hello ${CLIENT}` });
  });

  test('is refused by the verification even if a server should allow it', async () => {
    const verdicts: string[] = [];
    const lax = tls.createServer(
      { ...secureContextOptions(server.getX509Svid()), secureOptions: 0, requestCert: true, rejectUnauthorized: false },
      (socket) => {
        try {
          verifyPeer(socket, { identity: server, authorize: matchAny() });
          verdicts.push('verified');
        } catch (error) {
          verdicts.push((error as SpiffeError).code);
        }
        socket.on('error', () => {}).end('done');
      },
    );
    lax.listen(0, '127.0.0.1');
    await once(lax, 'listening');
    opened.push(lax);
    await resume((lax.address() as AddressInfo).port);
    expect(verdicts).toEqual(['verified', 'TLS_SESSION_RESUMED']);
  });

  test('is not offered to openssl either', async () => {
    const { port } = await serve({ clientCertificate: 'request' });
    const output = await new Promise<string>((resolve) => {
      const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-reconnect'], (_error, out) =>
        resolve(out),
      );
      child.stdin?.end();
    });
    expect(output).toContain('New, TLSv1.3');
    expect(output).not.toContain('Reused, TLSv1.3');
  });

  test('has its switch in every context', () => {
    expect(secureContextOptions(server.getX509Svid()).secureOptions).toBe(constants.SSL_OP_NO_TICKET);
  });
});

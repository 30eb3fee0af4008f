import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { installGoPeer, runGoPeer, type SpireStack, startGoPeer, startSpire } from '@neural-hive/real-stack';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  encodeSpiffeBundle,
  JwtSource,
  matchId,
  matchMemberOf,
  type SpiffeError,
  verifyJwtSvid,
  WorkloadApiClient,
  X509Source,
} from '../spiffe/index.ts';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { FixedIdentity } from '../testing/fixed-identity.ts';
import { spiffeBundleOf } from '../testing/spiffe-bundles.ts';
import { connectTls, peerSpiffeId, type SpiffeServerOptions, tlsServer, type X509Identity } from './index.ts';

const SERVER = 'spiffe://example.org/server';
const CLIENT = 'spiffe://example.org/client';
const GO = 'spiffe://example.org/go-peer';

/** A trust domain whose authority is ours; SPIRE knows it by its bundle. */
const ours = CertificateAuthority.create('ours.test');
const OURS = 'spiffe://ours.test/workload';

let spire: SpireStack;
let server: X509Source;
let client: X509Source;
let peer: { readonly endpoint: string; readonly binary: string };
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  const [stack, binary] = await Promise.all([startSpire(), process.env.GO_PEER_BINARY ?? installGoPeer()]);
  spire = stack;
  peer = { endpoint: spire.endpoint, binary };
  await spire.server.setFederatedBundle('ours.test', encodeSpiffeBundle(spiffeBundleOf(ours)));
  const thisProcess = [`unix:path:${realpathSync(process.execPath)}`];
  const federatesWith = ['ours.test'];
  await spire.createEntry({ id: SERVER, selectors: thisProcess, x509TtlSeconds: 24, federatesWith });
  await spire.createEntry({ id: CLIENT, selectors: thisProcess, federatesWith });
  await spire.createEntry({ id: GO, selectors: [`unix:path:${realpathSync(binary)}`], federatesWith });
  [server, client] = await Promise.all([openSource(SERVER), openSource(CLIENT)]);
});
afterAll(async () => {
  await server?.close();
  await client?.close();
  await spire?.stop();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A source of the identity; the agent learns of new entries one by one. */
async function openSource(id: string): Promise<X509Source> {
  const { endpoint } = spire;
  const probe = new WorkloadApiClient({ endpoint });
  const stop = AbortSignal.timeout(20_000);
  const found = new AbortController();
  const signal = AbortSignal.any([stop, found.signal]);
  await probe.watchX509Context(
    { update: ({ svids }) => void (svids.some((svid) => svid.id.toString() === id) && found.abort()) },
    { signal },
  );
  probe.close();
  return X509Source.open({ endpoint, pick: (svids) => svids.find((svid) => svid.id.toString() === id) ?? svids[0] });
}

async function serve(options: Partial<SpiffeServerOptions> = {}) {
  const refusals: SpiffeError[] = [];
  const listening = tlsServer({ identity: server, authorize: matchMemberOf('example.org'), ...options }, (socket) => {
    socket.on('error', () => {}).end(`hello ${peerSpiffeId(socket)}\n`);
  });
  listening.on('tlsClientError', (error) => refusals.push(error as SpiffeError));
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  cleanups.push(() => listening.close());
  return { port: (listening.address() as AddressInfo).port, refusals };
}

async function readAll(socket: TLSSocket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  // Go says why it refuses; with TLS 1.3 that comes after the handshake.
  socket.on('error', ({ message }) => {
    text += message;
  });
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const dial = (port: number, authorize = SERVER, identity: X509Identity = client) =>
  connectTls({ identity, authorize: matchId(authorize), host: '127.0.0.1', port });

test('two workloads of this library meet with SVIDs of a real agent', async () => {
  const { port } = await serve({ authorize: matchId(CLIENT) });
  const socket = await dial(port);
  expect(peerSpiffeId(socket)?.toString()).toBe(SERVER);
  expect(await readAll(socket)).toBe(`hello ${CLIENT}\n`);
  await expect(dial(port, CLIENT)).rejects.toMatchObject({ code: 'ID_NOT_AUTHORIZED' });
});

test('a server that goes on shows each new client the SVID that the agent renewed', async () => {
  const { port } = await serve();
  const fingerprints = new Set<string>();
  const signal = AbortSignal.timeout(25_000);
  while (fingerprints.size < 3) {
    const socket = await dial(port);
    fingerprints.add(socket.getPeerCertificate().fingerprint256);
    expect(await readAll(socket)).toBe(`hello ${CLIENT}\n`);
    if (fingerprints.size < 3) await server.waitForUpdate({ signal });
  }
});

test('a server in Go and our client accept each other, and each refuses another ID', async () => {
  await using accepting = await startGoPeer('serve', { ...peer, authorize: CLIENT });
  const socket = await dial(accepting.port, GO);
  expect(peerSpiffeId(socket)?.toString()).toBe(GO);
  expect(await readAll(socket)).toBe(`hello ${CLIENT}\n`);
  await expect(dial(accepting.port, SERVER)).rejects.toMatchObject({ code: 'ID_NOT_AUTHORIZED' });

  await using refusing = await startGoPeer('serve', { ...peer, authorize: SERVER });
  expect(await readAll(await dial(refusing.port, GO))).toContain('alert bad certificate');
  expect(refusing.reports).toEqual([{ refused: expect.stringContaining(CLIENT) }]);
});

test('a client in Go and our server accept each other, and each refuses another ID', async () => {
  const { port } = await serve({ authorize: matchId(GO) });
  expect(await runGoPeer('dial', { ...peer, port, authorize: SERVER })).toEqual({
    peer: SERVER,
    received: `hello ${GO}`,
  });
  await expect(runGoPeer('dial', { ...peer, port, authorize: CLIENT })).rejects.toThrow(SERVER);

  const strict = await serve({ authorize: matchId(CLIENT) });
  // Node cannot send an alert of its own: the connection ends before a byte of the application.
  expect(await runGoPeer('dial', { ...peer, port: strict.port, authorize: SERVER })).toEqual({
    peer: SERVER,
    received: '',
  });
  expect(strict.refusals).toMatchObject([{ code: 'ID_NOT_AUTHORIZED' }]);
});

test('a client in Go accepts an SVID that our authority issued, while SPIRE federates with it', async () => {
  const identity = FixedIdentity.issue(ours, OURS);
  const { x509 } = spiffeBundleOf(ours);
  const trusted = client.getX509Bundle(client.getX509Svid().id.trustDomain);
  if (trusted !== undefined) identity.setX509Bundle(trusted);
  const { port } = await serve({ identity, authorize: matchId(GO) });
  expect(await runGoPeer('dial', { ...peer, port, authorize: OURS })).toEqual({ peer: OURS, received: `hello ${GO}` });
  expect(client.getX509Bundle(ours.trustDomain)?.authorities).toEqual(x509.authorities);

  const impostor = CertificateAuthority.create('ours.test');
  const forged = FixedIdentity.issue(impostor, OURS);
  if (trusted !== undefined) forged.setX509Bundle(trusted);
  const other = await serve({ identity: forged, authorize: matchId(GO) });
  await expect(runGoPeer('dial', { ...peer, port: other.port, authorize: OURS })).rejects.toThrow(/verif|unknown/);
});

test('a JWT-SVID that our authority signed is valid for the agent and for Go, and a forged one is not', async () => {
  const audience = 'example.org';
  const token = ours.issueJwtSvid({ id: OURS, audience, ttlSeconds: 60 });
  const forged = CertificateAuthority.create('ours.test').issueJwtSvid({ id: OURS, audience, ttlSeconds: 60 });
  const { endpoint } = spire;
  const workload = new WorkloadApiClient({ endpoint });
  cleanups.push(() => workload.close());
  expect((await workload.validateJwtSvid({ token, audience })).id.toString()).toBe(OURS);
  await expect(workload.validateJwtSvid({ token: forged, audience })).rejects.toMatchObject({
    code: 'WORKLOAD_API_INVALID_ARGUMENT',
  });

  const ask = { ...peer, authorize: OURS, audience };
  expect(await runGoPeer('verify-jwt', { ...ask, input: token })).toEqual({ id: OURS, audience: [audience] });
  await expect(runGoPeer('verify-jwt', { ...ask, input: forged })).rejects.toThrow('go-peer verify-jwt');

  const bundles = await JwtSource.open({ endpoint });
  cleanups.push(() => bundles.close());
  expect(verifyJwtSvid(token, { bundles, audience }).id.toString()).toBe(OURS);
  expect(() => verifyJwtSvid(forged, { bundles, audience })).toThrow(
    expect.objectContaining({ code: 'JWT_SIGNATURE_INVALID' }),
  );
});

import { once } from 'node:events';
import { realpathSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { installGoPeer, runGoPeer, type SpireStack, startSpire } from '@neural-hive/real-stack';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FixedIdentity } from '../../testing/fixed-identity.ts';
import { spiffeBundleOf } from '../../testing/spiffe-bundles.ts';
import { connectTls, peerSpiffeId, tlsServer } from '../../tls/index.ts';
import {
  bundleServer,
  encodeSpiffeBundle,
  Federation,
  fetchBundle,
  JwtSource,
  matchId,
  matchMemberOf,
  parseSpiffeBundle,
  type SpiffeBundle,
  type SpiffeErrorCode,
  TrustDomain,
  verifyJwtSvid,
  verifyX509Svid,
  WorkloadApiClient,
  X509Source,
} from '../index.ts';

const [A, B] = [TrustDomain.parse('a.test'), TrustDomain.parse('b.test')];
const AT_A = 'spiffe://a.test/workload';
const AT_B = 'spiffe://b.test/workload';
const GO_AT_B = 'spiffe://b.test/go-peer';
const PATIENCE = { timeout: 20_000, interval: 100 };

interface Workload {
  readonly spire: SpireStack;
  readonly x509: X509Source;
  readonly jwt: JwtSource;
  readonly client: WorkloadApiClient;
}

let a: Workload;
let b: Workload;
let goPeer: string;
const cleanups: (() => unknown)[] = [];

/** This process is a workload of both trust domains at once; the entry of B federates only later. */
beforeAll(async () => {
  const [spireA, spireB, binary] = await Promise.all([
    startSpire({ trustDomain: 'a.test', bundleEndpoint: true }),
    startSpire({ trustDomain: 'b.test', bundleEndpoint: true }),
    process.env.GO_PEER_BINARY ?? installGoPeer(),
  ]);
  goPeer = binary;
  await spireA.federateWith(spireB);
  await spireB.federateWith(spireA);
  const selectors = [`unix:path:${realpathSync(process.execPath)}`];
  await spireA.createEntry({ id: AT_A, selectors, federatesWith: ['b.test'] });
  await spireB.createEntry({ id: AT_B, selectors });
  const go = [`unix:path:${realpathSync(binary)}`];
  await spireB.createEntry({ id: GO_AT_B, selectors: go, federatesWith: ['a.test'] });
  [a, b] = await Promise.all([openWorkload(spireA), openWorkload(spireB)]);
});
afterAll(async () => {
  for (const workload of [a, b]) {
    await workload?.x509.close();
    await workload?.jwt.close();
    workload?.client.close();
    await workload?.spire.stop();
  }
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function openWorkload(spire: SpireStack): Promise<Workload> {
  const options = { endpoint: spire.endpoint, initialSyncTimeoutMs: 20_000 };
  const [x509, jwt] = await Promise.all([X509Source.open(options), JwtSource.open(options)]);
  return { spire, x509, jwt, client: new WorkloadApiClient(options) };
}

function coded(code: SpiffeErrorCode): Error {
  return expect.objectContaining({ code }) as Error;
}

async function listen(server: { listen(port: number, host: string): unknown; address(): unknown; close(): unknown }) {
  server.listen(0, '127.0.0.1');
  await once(server as never, 'listening');
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function bundleOf(workload: Workload, trustDomain: TrustDomain): Promise<SpiffeBundle> {
  return parseSpiffeBundle(trustDomain, await workload.spire.server.bundle('spiffe'));
}

function endpointOf({ spire }: Workload) {
  return {
    trustDomain: spire.trustDomain,
    url: spire.bundleEndpoint ?? '',
    profile: 'https_spiffe',
    endpointId: `spiffe://${spire.trustDomain}/spire/server`,
  } as const;
}

describe('workloads of two servers', () => {
  test('a workload verifies the SVIDs of a trust domain that its entry federates with, and no others', async () => {
    expect(verifyX509Svid(b.x509.getX509Svid().certificates, a.x509).id.toString()).toBe(AT_B);
    const { token } = await b.jwt.fetchJwtSvid({ audience: 'a' });
    expect(verifyJwtSvid(token.reveal(), { bundles: a.jwt, audience: 'a' }).id.toString()).toBe(AT_B);
    expect((await a.client.validateJwtSvid({ token: token.reveal(), audience: 'a' })).id.toString()).toBe(AT_B);

    // B's server knows the bundle of A; the entry of this workload does not ask for it.
    const foreign = a.x509.getX509Svid().certificates;
    expect(() => verifyX509Svid(foreign, b.x509)).toThrow(coded('BUNDLE_NOT_FOUND'));
    const ours = (await a.jwt.fetchJwtSvid({ audience: 'b' })).token.reveal();
    expect(() => verifyJwtSvid(ours, { bundles: b.jwt, audience: 'b' })).toThrow(coded('BUNDLE_NOT_FOUND'));
    await expect(b.client.validateJwtSvid({ token: ours, audience: 'b' })).rejects.toMatchObject({
      code: 'WORKLOAD_API_INVALID_ARGUMENT',
    });
  });

  test('mutual TLS crosses the border with our own ends and with a peer in Go', async () => {
    const authorize = matchMemberOf('b.test');
    const server = tlsServer({ identity: a.x509, authorize }, (socket) => {
      socket.on('error', () => {}).end(`hello ${peerSpiffeId(socket)}\n`);
    });
    const port = await listen(server);
    const peer = { endpoint: b.spire.endpoint, binary: goPeer, port, authorize: AT_A };
    expect(await runGoPeer('dial', peer)).toEqual({ peer: AT_A, received: `hello ${GO_AT_B}` });
    await expect(runGoPeer('dial', { ...peer, authorize: AT_B })).rejects.toThrow(AT_A);

    const dial = () => connectTls({ identity: b.x509, authorize: matchId(AT_A), host: '127.0.0.1', port });
    await expect(dial()).rejects.toMatchObject({ code: 'BUNDLE_NOT_FOUND' });
  });
});

describe('bundle endpoints', () => {
  test("SPIRE's is fetched, verified by SPIFFE ID, and says what its server says", async () => {
    const fetched = await fetchBundle(endpointOf(b), { bundles: a.x509 });
    const expected = await bundleOf(b, B);
    // The endpoint adds the default hint; the command that shows the bundle does not.
    expect(fetched).toMatchObject({ sequence: expected.sequence, refreshHintSeconds: 300 });
    expect(fetched.x509.authorities).toEqual(expected.x509.authorities);
    expect(fetched.jwt.keys.map(({ kid }) => kid)).toEqual(expected.jwt.keys.map(({ kid }) => kid));
    expect(fetched.ignored).toEqual([]);

    const imposed = { ...endpointOf(b), endpointId: 'spiffe://b.test/another' };
    await expect(fetchBundle(imposed, { bundles: a.x509 })).rejects.toMatchObject({ code: 'BUNDLE_ENDPOINT_REFUSED' });
    await expect(fetchBundle(endpointOf(a), { bundles: b.x509 })).rejects.toMatchObject({
      code: 'BUNDLE_ENDPOINT_REFUSED',
    });
  });

  test('new authorities of a SPIRE server reach a federation with its next fetch', async () => {
    const initialBundle = await bundleOf(b, B);
    const federation = await Federation.open({
      relationships: [{ ...endpointOf(b), initialBundle }],
      minRefreshMs: 200,
      maxRefreshMs: 200,
    });
    cleanups.push(() => federation.close());
    expect(federation.health()).toMatchObject([{ trustDomain: 'b.test' }]);
    expect(federation.getX509Bundle(B)?.authorities).toHaveLength(initialBundle.x509.authorities.length);

    await b.spire.server.run(['localauthority', 'x509', 'prepare']);
    await b.spire.server.run(['localauthority', 'jwt', 'prepare']);
    const count = initialBundle.x509.authorities.length;
    await vi.waitFor(() => {
      expect(federation.getX509Bundle(B)?.authorities).toHaveLength(count + 1);
      expect(federation.getJwtBundle(B)?.keys).toHaveLength(initialBundle.jwt.keys.length + 1);
      // The agent tells its own workloads too.
      expect(b.x509.getX509Bundle(B)?.authorities).toHaveLength(count + 1);
    }, PATIENCE);
    const { sequence } = federation.getSpiffeBundle(B) ?? {};
    expect(sequence).toBeGreaterThan(initialBundle.sequence ?? 0n);
    expect(verifyX509Svid(b.x509.getX509Svid().certificates, federation).id.toString()).toBe(AT_B);
  });

  test('ours is fetched by a SPIRE server, whose agent hands the bundle out and follows its rotation', async () => {
    const ours = CertificateAuthority.create('ours.test');
    const endpointId = 'spiffe://ours.test/bundle-server';
    let bundle = spiffeBundleOf(ours, { sequence: 1n, refreshHintSeconds: 10 });
    const server = bundleServer({ identity: FixedIdentity.issue(ours, endpointId), bundle: () => bundle });
    const port = await listen(server);
    const path = join(a.spire.folder, 'ours.json');
    writeFileSync(path, encodeSpiffeBundle(bundle));
    await a.spire.server.run([
      ...['federation', 'create', '-trustDomain', 'ours.test', '-bundleEndpointURL', `https://127.0.0.1:${port}/`],
      ...['-bundleEndpointProfile', 'https_spiffe', '-endpointSpiffeID', endpointId],
      ...['-trustDomainBundlePath', path, '-trustDomainBundleFormat', 'spiffe'],
    ]);
    const selectors = [`unix:path:${realpathSync(process.execPath)}`];
    await a.spire.createEntry({ id: `${AT_A}/more`, selectors, federatesWith: ['b.test', 'ours.test'] });
    await vi.waitFor(() => {
      expect(a.x509.getX509Bundle(ours.trustDomain)?.authorities).toEqual(bundle.x509.authorities);
      expect(a.jwt.getJwtBundle(ours.trustDomain)?.keys).toHaveLength(1);
    }, PATIENCE);

    const next = CertificateAuthority.create('ours.test');
    const authorities = [...bundle.x509.authorities, ...next.bundle().authorities];
    bundle = { ...bundle, sequence: 2n, x509: { trustDomain: ours.trustDomain, authorities } };
    await a.spire.server.run(['federation', 'refresh', '-id', 'spiffe://ours.test']);
    await vi.waitFor(() => expect(a.x509.getX509Bundle(ours.trustDomain)?.authorities).toEqual(authorities), PATIENCE);
    const { certificates } = next.issueX509Svid({ id: 'spiffe://ours.test/workload', ttlSeconds: 60 });
    expect(verifyX509Svid(certificates, a.x509).id.toString()).toBe('spiffe://ours.test/workload');
  });
});

test('the bundle that SPIRE shows for a trust domain is read whole', async () => {
  const { x509, jwt, ignored } = await bundleOf(a, A);
  expect(ignored).toEqual([]);
  expect(x509.authorities).toEqual(a.x509.getX509Bundle(A)?.authorities);
  expect(jwt.keys.map(({ kid }) => kid)).toEqual(a.jwt.getJwtBundle(A)?.keys.map(({ kid }) => kid));
});

import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import {
  JwtSource,
  TrustDomain,
  verifyJwtSvid,
  verifyX509Svid,
  WorkloadApiClient,
  X509Source,
} from '../spiffe/index.ts';
import { SpiffeWorkloadAPIClient } from '../spiffe/workload-api/gen/spiffe/workload.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { type WorkloadApiFaults, WorkloadApiServer } from './workload-api-server.ts';
import { WorkloadIssuer } from './workload-issuer.ts';

const ID = 'spiffe://example.org/workload';
const DOMAIN = TrustDomain.parse('example.org');
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(
  options: { ids?: string[]; faults?: WorkloadApiFaults; path?: string; issuer?: WorkloadIssuer } = {},
) {
  const authority = CertificateAuthority.create('example.org');
  const issuer =
    options.issuer ?? new WorkloadIssuer({ authority, issuer: 'https://issuer.example.org', x509TtlSeconds: 60 });
  const path = options.path ?? join(mkdtempSync(join(tmpdir(), 'nh-wl-')), 'agent.sock');
  const server = await WorkloadApiServer.listen({
    issuer,
    path,
    ids: options.ids ?? [ID],
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  });
  cleanups.push(
    () => server.close(),
    () => issuer.close(),
  );
  return { authority, issuer, server, path, endpoint: server.endpoint };
}

async function x509(endpoint: string, options: Partial<Parameters<typeof X509Source.open>[0]> = {}) {
  const source = await X509Source.open({ endpoint, ...options });
  cleanups.push(() => source.close());
  return source;
}

async function jwt(endpoint: string) {
  const source = await JwtSource.open({ endpoint });
  cleanups.push(() => source.close());
  return source;
}

describe('X509Source', () => {
  test('opens with an SVID that verifies against the bundle beside it', async () => {
    const { endpoint } = await serve();
    const source = await x509(endpoint);
    const svid = source.getX509Svid();
    expect(verifyX509Svid(svid.certificates, source).id.toString()).toBe(ID);
    expect(source.health()).toMatchObject({ state: 'healthy', expiresAtMs: svid.expiresAtMs });
    expect(source.generation).toBe(1);
  });

  test('W-03: follows a rotation, whole and once', async () => {
    const { endpoint, issuer } = await serve();
    const source = await x509(endpoint);
    const first = source.getX509Svid();
    const next = source.waitForUpdate();
    issuer.rotateX509(ID);
    expect((await next).certificateChainPem).not.toBe(first.certificateChainPem);
    expect(source.generation).toBe(2);
  });

  test('E-09: lives through a restart of the agent with a new socket, and a repeated message is no change', async () => {
    const { server, endpoint, path, issuer } = await serve();
    const source = await x509(endpoint);
    await server.close();
    await expect.poll(() => source.health().state).toBe('degraded');
    expect(source.getX509Svid().id.toString()).toBe(ID);
    await serve({ path, issuer });
    await expect.poll(() => source.health().state, { timeout: 10_000 }).toBe('healthy');
    expect(source.generation).toBe(1);
    const next = source.waitForUpdate();
    issuer.rotateX509(ID);
    await next;
  });

  test('W-11, E-10: withdraws the SVID when the agent denies it, and serves again when it is given back', async () => {
    const { server, endpoint } = await serve();
    const source = await x509(endpoint);
    server.setIds([]);
    await expect.poll(() => source.health().state).toBe('unhealthy');
    expect(() => source.getX509Svid()).toThrow(expect.objectContaining({ code: 'SVID_WITHDRAWN' }));
    server.setIds([ID]);
    await expect.poll(() => source.health().state, { timeout: 10_000 }).toBe('healthy');
  });

  test('W-06: keeps the previous state when a message is wrong', async () => {
    const faults: WorkloadApiFaults = {};
    const { endpoint, issuer } = await serve({ faults });
    const source = await x509(endpoint);
    const before = source.getX509Svid();
    faults.spoilX509 = (response) => ({
      ...response,
      svids: response.svids.map((svid) => ({ ...svid, bundle: Buffer.of(1) })),
    });
    issuer.rotateX509(ID);
    await expect.poll(() => source.health().lastError).toMatchObject({ code: 'WORKLOAD_API_INVALID_RESPONSE' });
    expect(source.getX509Svid()).toBe(before);
  });

  test('says what the agent said when it cannot open', async () => {
    const { endpoint } = await serve({ ids: [] });
    await expect(X509Source.open({ endpoint, initialSyncTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'SOURCE_NOT_READY',
      message: expect.stringContaining('no identity issued'),
      cause: { code: 'WORKLOAD_API_PERMISSION_DENIED' },
    });
  });

  test('E-08: stops at once when the agent refuses the call for good', async () => {
    const { endpoint } = await serve({ faults: { fail: { code: status.INVALID_ARGUMENT } } });
    await expect(X509Source.open({ endpoint })).rejects.toMatchObject({
      cause: { code: 'WORKLOAD_API_INVALID_ARGUMENT' },
      retryable: false,
    });
  });

  test('is closed for good by close', async () => {
    const { endpoint } = await serve();
    const source = await x509(endpoint);
    await source.close();
    await source.close();
    expect(() => source.getX509Svid()).toThrow(expect.objectContaining({ code: 'SOURCE_CLOSED' }));
  });
});

describe('JwtSource', () => {
  test('W-16: fetches a token that verifies against the bundles it watches', async () => {
    const { endpoint } = await serve();
    const source = await jwt(endpoint);
    const { token } = await source.fetchJwtSvid({ audience: 'there' });
    const verified = verifyJwtSvid(token.reveal(), {
      bundles: source,
      audience: 'there',
      issuer: 'https://issuer.example.org',
    });
    expect(verified.id.toString()).toBe(ID);
  });

  test('serves a token from the cache, by audience and whatever their order', async () => {
    const { endpoint } = await serve();
    const source = await jwt(endpoint);
    const first = await source.fetchJwtSvid({ audience: ['a', 'b'] });
    expect(await source.fetchJwtSvid({ audience: ['b', 'a'] })).toBe(first);
    expect(await source.fetchJwtSvid({ audience: 'a' })).not.toBe(first);
  });

  test('sees new keys before it meets their tokens', async () => {
    const { endpoint, issuer } = await serve();
    const source = await jwt(endpoint);
    const before = source.getJwtBundle(DOMAIN)?.keys.length;
    const changed = new Promise<void>((resolve) => source.onUpdate(resolve));
    issuer.rotateJwtKey();
    await changed;
    expect(source.getJwtBundle(DOMAIN)?.keys.length).toBe((before ?? 0) + 1);
  });
});

describe('WorkloadApiClient', () => {
  test('W-16: lets the agent judge a token', async () => {
    const { endpoint } = await serve();
    const client = new WorkloadApiClient({ endpoint });
    cleanups.push(() => client.close());
    const [svid] = await client.fetchJwtSvids({ audience: ['there'] });
    const token = svid.token.reveal();
    expect((await client.validateJwtSvid({ token, audience: 'there' })).id.toString()).toBe(ID);
    await expect(client.validateJwtSvid({ token, audience: 'elsewhere' })).rejects.toMatchObject({
      code: 'WORKLOAD_API_INVALID_ARGUMENT',
    });
  });

  test('fetches bundles of federated trust domains', async () => {
    const { endpoint, issuer } = await serve();
    const foreign = CertificateAuthority.create('foreign.org');
    issuer.setFederatedBundles({ x509: { 'foreign.org': Buffer.concat(foreign.bundle().authorities) } });
    const client = new WorkloadApiClient({ endpoint });
    cleanups.push(() => client.close());
    expect([...(await client.fetchX509Bundles()).keys()].sort()).toEqual(['example.org', 'foreign.org']);
    expect([...(await client.fetchX509Context()).bundles.keys()].sort()).toEqual(['example.org', 'foreign.org']);
    expect([...(await client.fetchJwtBundles()).keys()]).toEqual(['example.org']);
  });

  test('gives up a call that is aborted', async () => {
    const { endpoint } = await serve({ faults: { delayMs: 60_000 } });
    const client = new WorkloadApiClient({ endpoint });
    cleanups.push(() => client.close());
    const reason = new Error('enough');
    await expect(client.fetchJwtSvids({ audience: ['a'] }, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    await expect(client.fetchX509Context({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test('E-03, E-12: a call needs the security header and nothing else', async () => {
  const { endpoint } = await serve();
  const stub = new SpiffeWorkloadAPIClient(endpoint, credentials.createInsecure());
  cleanups.push(() => stub.close());
  const call = (metadata: Metadata) =>
    new Promise<number>((resolve) => {
      stub.fetchJwtsvid({ audience: ['a'], spiffeId: '' }, metadata, (error: ServiceError | null) =>
        resolve(error?.code ?? 0),
      );
    });
  const good = new Metadata();
  good.set('workload.spiffe.io', 'true');
  expect(await call(good)).toBe(status.OK);
  expect(await call(new Metadata())).toBe(status.INVALID_ARGUMENT);
});

test('the socket belongs to its owner alone unless told otherwise', async () => {
  const { path } = await serve();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

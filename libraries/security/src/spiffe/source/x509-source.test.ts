import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { type WorkloadApiFaults, WorkloadApiServer } from '../../testing/workload-api-server.ts';
import { WorkloadIssuer } from '../../testing/workload-issuer.ts';
import { TrustDomain } from '../trust-domain.ts';
import { pickByHint } from './pick-by-hint.ts';
import { SpiffeManager } from './spiffe-manager.ts';
import { X509Source } from './x509-source.ts';

const IDS = ['spiffe://example.org/first', 'spiffe://example.org/second'];
const DOMAIN = TrustDomain.parse('example.org');
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(faults: WorkloadApiFaults = {}, x509TtlSeconds = 60) {
  const issuer = new WorkloadIssuer({ authority: CertificateAuthority.create('example.org'), x509TtlSeconds });
  const path = join(mkdtempSync(join(tmpdir(), 'nh-x509-')), 'agent.sock');
  const server = await WorkloadApiServer.listen({ issuer, path, ids: IDS, faults });
  cleanups.push(
    () => issuer.close(),
    () => server.close(),
  );
  return { issuer, server, endpoint: server.endpoint };
}

async function open(options: Parameters<typeof X509Source.open>[0]) {
  const source = await X509Source.open(options);
  cleanups.push(() => source.close());
  return source;
}

test('W-19: the first of several identities is the default, and another can be picked', async () => {
  const { endpoint } = await serve({
    spoilX509: (response) => ({
      ...response,
      svids: response.svids.map((svid, index) => ({ ...svid, hint: ['internal', 'external'][index] ?? '' })),
    }),
  });
  expect((await open({ endpoint })).getX509Svid().id.toString()).toBe(IDS[0]);
  const external = await open({
    endpoint,
    pick: (svids) => svids.find(({ hint }) => hint === 'external') ?? svids[0],
  });
  expect(external.getX509Svid().id.toString()).toBe(IDS[1]);
});

test('W-20: an SVID is picked by its hint; without one that has it the message is refused, or the first is taken', async () => {
  const faults: WorkloadApiFaults = {
    spoilX509: (response) => ({
      ...response,
      svids: response.svids.map((svid, index) => ({ ...svid, hint: ['internal', 'external'][index] ?? '' })),
    }),
  };
  const { endpoint } = await serve(faults);
  expect((await open({ endpoint, pick: pickByHint('external') })).getX509Svid().id.toString()).toBe(IDS[1]);
  const lenient = await open({ endpoint, pick: pickByHint('missing', { whenMissing: 'first' }) });
  expect(lenient.getX509Svid().id.toString()).toBe(IDS[0]);
  const strict = X509Source.open({ endpoint, pick: pickByHint('missing'), initialSyncTimeoutMs: 300 });
  await expect(strict).rejects.toMatchObject({ code: 'SOURCE_NOT_READY', cause: { code: 'SVID_NOT_PICKED' } });
  expect(() => pickByHint('')).toThrow(TypeError);
});

test('W-13: the revocation lists of the agent are kept beside the bundles', async () => {
  const { endpoint } = await serve();
  expect((await open({ endpoint })).getRevocationLists()).toEqual([]);
});

test('W-10: of SVIDs with the same hint only the first counts', async () => {
  const { endpoint } = await serve({
    spoilX509: (response) => ({ ...response, svids: response.svids.map((svid) => ({ ...svid, hint: 'same' })) }),
  });
  let count = 0;
  await open({
    endpoint,
    pick: (svids) => {
      count = svids.length;
      return svids[0];
    },
  });
  expect(count).toBe(1);
});

test('W-06: an SVID without its bundle, or under another name, is discarded with its whole message', async () => {
  const faults: WorkloadApiFaults = {};
  const { endpoint, issuer } = await serve(faults);
  const source = await open({ endpoint });
  let before = source.getX509Svid();
  for (const wrong of [{ bundle: Buffer.alloc(0) }, { spiffeId: 'spiffe://example.org/else' }]) {
    faults.spoilX509 = (response) => ({ ...response, svids: response.svids.map((svid) => ({ ...svid, ...wrong })) });
    issuer.rotateX509(IDS[0]);
    await expect.poll(() => source.health().lastError).toMatchObject({ code: 'WORKLOAD_API_INVALID_RESPONSE' });
    expect(source.getX509Svid()).toBe(before);
    delete faults.spoilX509;
    const good = source.waitForUpdate();
    issuer.rotateX509(IDS[0]);
    await good;
    expect(source.health()).toMatchObject({ state: 'healthy' });
    before = source.getX509Svid();
  }
});

test('W-04, W-03: a bundle that is gone from a message is gone', async () => {
  const { endpoint, issuer } = await serve();
  const source = await open({ endpoint });
  const foreign = CertificateAuthority.create('foreign.org');
  const given = source.waitForUpdate();
  issuer.setFederatedBundles({ x509: { 'foreign.org': Buffer.concat(foreign.bundle().authorities) } });
  await given;
  expect(source.getX509Bundle(foreign.trustDomain)?.authorities).toHaveLength(1);
  const taken = source.waitForUpdate();
  issuer.setFederatedBundles({});
  await taken;
  expect(source.getX509Bundle(foreign.trustDomain)).toBeUndefined();
  expect(source.getX509Bundle(DOMAIN)?.authorities).toHaveLength(1);
});

test('an SVID is replaced by itself at half of its life', async () => {
  const { endpoint } = await serve({}, 2);
  const source = await open({ endpoint });
  const first = source.getX509Svid();
  const next = await source.waitForUpdate({ signal: AbortSignal.timeout(5_000) });
  expect(next.certificateChainPem).not.toBe(first.certificateChainPem);
  expect(first.expiresAtMs).toBeGreaterThan(Date.now() - 1_000);
});

test('W-11: a denial withdraws the SVID after its grace, which is none unless told otherwise', async () => {
  const { endpoint, server } = await serve();
  const patient = await open({ endpoint, deniedGraceMs: 60_000 });
  const withdrawn: string[] = [];
  const metrics = { svidFetch: () => undefined, svidWithdrawn: (type: string) => withdrawn.push(type) };
  const strict = await open({ endpoint, metrics });
  for (const source of [patient, strict]) source.onWithdraw(({ code }) => withdrawn.push(code));
  server.setIds([]);
  await expect.poll(() => strict.health().state).toBe('unhealthy');
  expect(patient.health()).toMatchObject({
    state: 'degraded',
    lastError: { code: 'WORKLOAD_API_PERMISSION_DENIED' },
  });
  expect(patient.getX509Svid().id.toString()).toBe(IDS[0]);
  expect(() => strict.getX509Svid()).toThrow(expect.objectContaining({ code: 'SVID_WITHDRAWN' }));
  expect(withdrawn).toEqual(['x509', 'WORKLOAD_API_PERMISSION_DENIED']);
});

test('W-02: a stream that is dropped changes nothing', async () => {
  const { endpoint, server, issuer } = await serve();
  const source = await open({ endpoint });
  server.dropStreams();
  const next = source.waitForUpdate();
  // A stream that is being reopened brings the new SVID with its first message.
  issuer.rotateX509(IDS[0]);
  await next;
  expect(source.generation).toBe(2);
});

test('waiting for an update ends with the source', async () => {
  const { endpoint } = await serve();
  const source = await open({ endpoint });
  const waiting = expect(source.waitForUpdate()).rejects.toMatchObject({ code: 'SOURCE_CLOSED' });
  await source.close();
  await waiting;
});

test('opening can be aborted', async () => {
  const { endpoint } = await serve({ delayMs: 60_000 });
  const opening = X509Source.open({ endpoint, signal: AbortSignal.abort(new Error('enough')) });
  await expect(opening).rejects.toThrow('enough');
});

test('the manager hands out SVIDs and bundles of both kinds over one connection', async () => {
  const { endpoint } = await serve();
  const manager = await SpiffeManager.open({ endpoint });
  cleanups.push(() => manager.close());
  expect((await manager.fetchX509Svid()).id.toString()).toBe(IDS[0]);
  expect((await manager.fetchJwtSvid('there')).id.toString()).toBe(IDS[0]);
  expect(manager.trustBundles().getX509Bundle(DOMAIN)?.authorities).toHaveLength(1);
  expect(manager.trustBundles().getJwtBundle(DOMAIN)?.keys).toHaveLength(1);
  await manager.close();
  await expect(manager.fetchJwtSvid('there')).rejects.toMatchObject({ code: 'SOURCE_CLOSED' });
});

test('the manager closes what it opened when it cannot open all', async () => {
  const { endpoint } = await serve();
  const failing = SpiffeManager.open({ endpoint: `${endpoint}.none`, initialSyncTimeoutMs: 200 });
  await expect(failing).rejects.toMatchObject({ code: 'SOURCE_NOT_READY' });
});

import { realpathSync } from 'node:fs';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type SpireStack, startSpire } from '@neural-hive/real-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchWitBundles, fetchWitSvids, watchWitSvids } from '../experimental/index.ts';
import { SpiffeManager, verifyJwtSvid, verifyX509Svid, WorkloadApiClient, X509Source } from '../index.ts';
import { endpointTarget } from './endpoint.ts';
import { SpiffeWorkloadAPIClient } from './gen/spiffe/workload.ts';

const ID = 'spiffe://example.org/workload';

let spire: SpireStack;
let client: WorkloadApiClient;

beforeAll(async () => {
  spire = await startSpire();
  await spire.createEntry({ id: ID, selectors: [`unix:path:${realpathSync(process.execPath)}`] });
  await (await X509Source.open({ endpoint: spire.endpoint, initialSyncTimeoutMs: 20_000 })).close();
  client = new WorkloadApiClient({ endpoint: spire.endpoint });
});
afterAll(async () => {
  client?.close();
  await spire?.stop();
});

/** A call with whatever metadata, which our client would never send. */
function fetchWith(metadata: Metadata): Promise<string> {
  const stub = new SpiffeWorkloadAPIClient(endpointTarget(spire.endpoint), credentials.createInsecure());
  return new Promise<string>((resolve, reject) => {
    const done = (error: ServiceError | null, response?: { svids: { spiffeId: string }[] }): void =>
      error === null ? resolve(response?.svids[0]?.spiffeId ?? '') : reject(error);
    stub.fetchJwtsvid({ audience: ['a'], spiffeId: '' }, metadata, done);
  }).finally(() => stub.close());
}

test('the header on every call is what the agent asks for, exactly once', async () => {
  const metadata = new Metadata();
  metadata.set('workload.spiffe.io', 'true');
  expect(await fetchWith(metadata)).toBe(ID);
  expect((await client.fetchJwtSvids({ audience: ['a'] }))[0].id.toString()).toBe(ID);

  const refused = { code: status.INVALID_ARGUMENT, details: expect.stringContaining('security header') as string };
  await expect(fetchWith(new Metadata())).rejects.toMatchObject(refused);
  metadata.add('workload.spiffe.io', 'true');
  await expect(fetchWith(metadata)).rejects.toMatchObject(refused);
});

test('calls that this agent does not know are final at once', async () => {
  const unknown = { code: 'WORKLOAD_API_UNIMPLEMENTED', retryable: false };
  await expect(fetchWitSvids(client)).rejects.toMatchObject(unknown);
  await expect(fetchWitBundles(client)).rejects.toMatchObject(unknown);
  const watching = watchWitSvids(client, { update: () => {} }, { signal: AbortSignal.timeout(10_000) });
  await expect(watching).rejects.toMatchObject(unknown);
});

test('a token that is none, and a subject that is none, are refused for good', async () => {
  const refused = { code: 'WORKLOAD_API_INVALID_ARGUMENT', retryable: false };
  await expect(client.validateJwtSvid({ token: 'a.b.c', audience: 'a' })).rejects.toMatchObject(refused);
  await expect(client.fetchJwtSvids({ audience: ['a'], subject: 'https://example.org' })).rejects.toMatchObject(
    refused,
  );
});

test('the manager gives SVIDs of both kinds and the bundles that verify them', async () => {
  const manager = await SpiffeManager.open({ endpoint: spire.endpoint });
  const bundles = manager.trustBundles();
  const { certificates } = await manager.fetchX509Svid();
  expect(verifyX509Svid(certificates, bundles).id.toString()).toBe(ID);
  const { token } = await manager.fetchJwtSvid(['a', 'b']);
  expect(verifyJwtSvid(token.reveal(), { bundles, audience: 'b' }).audience).toEqual(['a', 'b']);
  await manager.close();
  await expect(manager.fetchJwtSvid('a')).rejects.toMatchObject({ code: 'SOURCE_CLOSED' });
});

test('thirty identities of one process come in one message', async () => {
  const selectors = [`unix:path:${realpathSync(process.execPath)}`];
  for (let index = 1; index < 30; index += 1) await spire.createEntry({ id: `${ID}/${index}`, selectors });
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, AbortSignal.timeout(20_000)]);
  const sizes: number[] = [];
  const update = ({ svids }: { svids: readonly unknown[] }): void => {
    sizes.push(svids.length);
    if (svids.length === 30) done.abort();
  };
  await client.watchX509Context({ update }, { signal });
  expect(sizes.at(-1)).toBe(30);
});

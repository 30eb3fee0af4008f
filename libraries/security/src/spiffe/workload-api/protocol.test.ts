import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '../../testing/index.ts';
import { fetchWitBundles, fetchWitSvids } from '../experimental/index.ts';
import { WorkloadApiClient } from './client.ts';
import { SpiffeWorkloadAPIClient, SpiffeWorkloadAPIService } from './gen/spiffe/workload.ts';

const ID = 'spiffe://example.org/a';
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function agent() {
  const issuer = new WorkloadIssuer({ authority: CertificateAuthority.create('example.org') });
  const path = join(mkdtempSync(join(tmpdir(), 'nh-proto-')), 'agent.sock');
  const server = await WorkloadApiServer.listen({ issuer, path, ids: [ID] });
  cleanups.push(
    () => issuer.close(),
    () => server.close(),
  );
  return { issuer, endpoint: server.endpoint };
}

function clientOf(endpoint: string): WorkloadApiClient {
  const client = new WorkloadApiClient({ endpoint });
  cleanups.push(() => client.close());
  return client;
}

/** Refuses every call, and keeps its path and the values of its security header. */
async function recorder() {
  const calls: [string, unknown[]][] = [];
  const answers = Object.entries(SpiffeWorkloadAPIService).map(([name, { path, responseStream }]) => [
    name,
    (call: { metadata: Metadata; emit(event: string, error: Error): void }, done: (error: Error) => void) => {
      calls.push([path, call.metadata.get('workload.spiffe.io')]);
      const error = Object.assign(new Error('no'), { code: status.UNIMPLEMENTED, details: 'no' });
      if (responseStream) call.emit('error', error);
      else done(error);
    },
  ]);
  const server = new Server();
  server.addService(SpiffeWorkloadAPIService, Object.fromEntries(answers) as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  cleanups.push(() => server.forceShutdown());
  return { calls, endpoint: `tcp://127.0.0.1:${port}` };
}

describe('the client', () => {
  test('E-01, E-02, E-13, W-01: makes seven calls over plain TCP, each with the header once, and no other call', async () => {
    const { calls, endpoint } = await recorder();
    const client = clientOf(endpoint);
    const made = [
      client.fetchX509Context(),
      client.fetchX509Bundles(),
      client.fetchJwtSvids({ audience: ['a'] }),
      client.fetchJwtBundles(),
      client.validateJwtSvid({ token: 'x', audience: 'a' }),
      fetchWitSvids(client),
      fetchWitBundles(client),
    ];
    for (const call of made) await expect(call).rejects.toMatchObject({ code: 'WORKLOAD_API_UNIMPLEMENTED' });
    expect(calls.map(([path]) => path).sort()).toEqual([
      '/SpiffeWorkloadAPI/FetchJWTBundles',
      '/SpiffeWorkloadAPI/FetchJWTSVID',
      '/SpiffeWorkloadAPI/FetchWITBundles',
      '/SpiffeWorkloadAPI/FetchWITSVID',
      '/SpiffeWorkloadAPI/FetchX509Bundles',
      '/SpiffeWorkloadAPI/FetchX509SVID',
      '/SpiffeWorkloadAPI/ValidateJWTSVID',
    ]);
    expect(calls.map(([, values]) => values)).toEqual(calls.map(() => ['true']));
  });

  test('E-01: speaks over a Unix socket without TLS', async () => {
    const { endpoint } = await agent();
    expect((await clientOf(endpoint).fetchX509Context()).svids).toHaveLength(1);
  });

  test('W-14: asks for no token without an audience', async () => {
    const { endpoint } = await agent();
    const client = clientOf(endpoint);
    expect(await client.fetchJwtSvids({ audience: ['a'] })).toHaveLength(1);
    expect(await client.fetchJwtSvids({ audience: ['a'], subject: ID })).toHaveLength(1);
    await expect(client.fetchJwtSvids({ audience: [] })).rejects.toThrow(TypeError);
    const denied = client.fetchJwtSvids({ audience: ['a'], subject: 'spiffe://example.org/other' });
    await expect(denied).rejects.toMatchObject({ code: 'WORKLOAD_API_PERMISSION_DENIED' });
  });
});

describe('the server for tests', () => {
  const header = (): Metadata => {
    const metadata = new Metadata();
    metadata.set('workload.spiffe.io', 'true');
    return metadata;
  };
  const stubOf = (endpoint: string): SpiffeWorkloadAPIClient => {
    const stub = new SpiffeWorkloadAPIClient(endpoint, credentials.createInsecure());
    cleanups.push(() => stub.close());
    return stub;
  };
  const ended = (start: (done: (error: ServiceError | null) => void) => unknown): Promise<status> =>
    new Promise((resolve) => start((error) => resolve(error?.code ?? status.OK)));

  test('W-07: refuses a request without its mandatory fields as InvalidArgument', async () => {
    const { endpoint } = await agent();
    const stub = stubOf(endpoint);
    const fetch = (audience: string[]) =>
      ended((done) => stub.fetchJwtsvid({ audience, spiffeId: '' }, header(), done));
    expect(await fetch(['a'])).toBe(status.OK);
    expect(await fetch([])).toBe(status.INVALID_ARGUMENT);
    const validate = ended((done) => stub.validateJwtsvid({ audience: '', svid: 'x' }, header(), done));
    expect(await validate).toBe(status.INVALID_ARGUMENT);
  });

  test('W-05: sends the first message of each stream without waiting for a change', async () => {
    const { endpoint } = await agent();
    const client = clientOf(endpoint);
    const signal = AbortSignal.timeout(2_000);
    expect((await client.fetchX509Context({ signal })).svids[0].id.toString()).toBe(ID);
    expect((await client.fetchX509Bundles({ signal })).size).toBe(1);
    expect((await client.fetchJwtBundles({ signal })).size).toBe(1);
  });

  test('W-13: has the own trust domain among the X.509 bundles', async () => {
    const { endpoint } = await agent();
    expect([...(await clientOf(endpoint).fetchX509Bundles()).keys()]).toEqual(['example.org']);
  });

  test('E-13: offers the seven calls and neither reflection nor anything else', async () => {
    const { endpoint } = await agent();
    expect(Object.keys(SpiffeWorkloadAPIService)).toHaveLength(7);
    const client = new Client(endpoint, credentials.createInsecure());
    cleanups.push(() => client.close());
    const bytes = (value: Buffer): Buffer => value;
    for (const path of ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', '/SpiffeWorkloadAPI/FetchMore']) {
      const code = ended((done) => client.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), header(), done));
      expect(await code).toBe(status.UNIMPLEMENTED);
    }
  });
});

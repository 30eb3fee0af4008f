import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  SpiffeError,
  type SpiffeErrorCode,
  verifyJwtSvid,
  verifyX509Svid,
  WorkloadApiClient,
  type X509Context,
} from '../spiffe/index.ts';
import { endpointTarget } from '../spiffe/workload-api/endpoint.ts';
import { SpiffeWorkloadAPIClient } from '../spiffe/workload-api/gen/spiffe/workload.ts';
import type { TestRunner } from './vault-contract/topic.ts';

/** A Workload API, and who decides on what it gives to this process. */
export interface WorkloadApiTarget {
  readonly endpoint: string;
  /** A member of the trust domain that nobody has. */
  readonly id: string;
  /** Gives the identity to this process, or takes it away. The agent may take a while to know. */
  identify(id: string): Promise<void>;
  withdraw(): Promise<void>;
  /** Has the SVIDs replaced; where lives are short that may be left to the agent. */
  rotate(): Promise<void>;
  /** Ends the agent and starts it again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Real agents tell each other of changes every so often, and the machine may be busy. */
const PATIENCE_MS = 120_000;
const POLL_MS = 100;
const AUDIENCE = ['registry.contract.test', 'vault.contract.test'];

async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await delay(POLL_MS);
    }
  }
}

async function refuses(work: Promise<unknown>, code: SpiffeErrorCode): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof SpiffeError && error.code === code, `expected ${code}, got ${String(error)}`);
    return true;
  });
}

/** A call with whatever message and metadata, which our client would never send. */
function rawJwtSvid(endpoint: string, audience: string[], headers: number): Promise<string> {
  const stub = new SpiffeWorkloadAPIClient(endpointTarget(endpoint), credentials.createInsecure());
  const metadata = new Metadata();
  for (let index = 0; index < headers; index += 1) metadata.add('workload.spiffe.io', 'true');
  return new Promise<string>((resolve, reject) => {
    stub.fetchJwtsvid({ audience, spiffeId: '' }, metadata, (error: ServiceError | null, response) =>
      error === null ? resolve(response.svids[0]?.spiffeId ?? '') : reject(error),
    );
  }).finally(() => stub.close());
}

const serialOf = ({ svids }: X509Context): string => Buffer.from(svids[0]?.certificates[0] ?? []).toString('base64');

/** What a workload relies on in an agent. Runs on the authority of this library and on SPIRE's agent alike. */
export function describeWorkloadApi(open: () => Promise<WorkloadApiTarget>, runner: TestRunner): void {
  const { describe, test, beforeAll, afterAll } = runner;
  let target: WorkloadApiTarget;
  let client: WorkloadApiClient;

  /** Until the agent knows of the identity, or that there is none. */
  const identified = async (): Promise<void> => {
    await target.identify(target.id);
    await eventually(() => client.fetchX509Context());
  };
  const denied = async (): Promise<void> => {
    await target.withdraw();
    await eventually(() => refuses(client.fetchX509Context(), 'WORKLOAD_API_PERMISSION_DENIED'));
  };

  describe('the Workload API', () => {
    beforeAll(async () => {
      target = await open();
      client = new WorkloadApiClient({ endpoint: target.endpoint });
      await identified();
    });
    afterAll(async () => {
      client?.close();
      await target?.close();
    });

    test('an X509-SVID comes with its key and the bundle that verifies it', async () => {
      const { svids, bundles } = await client.fetchX509Context();
      const [svid] = svids;
      assert.equal(svid.id.toString(), target.id);
      const source = { getX509Bundle: ({ name }: { name: string }) => bundles.get(name) };
      assert.equal(verifyX509Svid(svid.certificates, source).id.toString(), target.id);
    });

    test('the X.509 bundles are those that come with the SVID', async () => {
      const { bundles } = await client.fetchX509Context();
      const alone = await client.fetchX509Bundles();
      const hex = (each: typeof alone): unknown =>
        [...each].map(([name, { authorities }]) => [name, authorities.map((one) => Buffer.from(one).toString('hex'))]);
      assert.deepEqual(hex(alone), hex(bundles));
      assert.equal(alone.size, 1);
    });

    test('a JWT-SVID is for all its audiences, and verifies with the JWT bundles', async () => {
      const [svid] = await client.fetchJwtSvids({ audience: AUDIENCE });
      const bundles = await client.fetchJwtBundles();
      const source = { getJwtBundle: ({ name }: { name: string }) => bundles.get(name) };
      const options = { bundles: source, nowMs: Date.now() };
      for (const audience of AUDIENCE) {
        assert.equal(verifyJwtSvid(svid.token.reveal(), { ...options, audience }).id.toString(), target.id);
      }
      assert.throws(() => verifyJwtSvid(svid.token.reveal(), { ...options, audience: 'another' }));
      assert.ok(svid.expiresAtMs > Date.now());
    });

    test('a JWT-SVID is had for an identity by name, and for none that this process does not have', async () => {
      const subject = target.id;
      const [svid] = await client.fetchJwtSvids({ audience: AUDIENCE, subject });
      assert.equal(svid.id.toString(), subject);
      const another = client.fetchJwtSvids({ audience: AUDIENCE, subject: `${subject}/another` });
      await refuses(another, 'WORKLOAD_API_PERMISSION_DENIED');
    });

    test('the agent judges a token by its audience and its signature', async () => {
      const [svid] = await client.fetchJwtSvids({ audience: AUDIENCE });
      const token = svid.token.reveal();
      const valid = await client.validateJwtSvid({ token, audience: AUDIENCE[1] ?? '' });
      assert.equal(valid.id.toString(), target.id);
      const wrong = 'WORKLOAD_API_INVALID_ARGUMENT';
      await refuses(client.validateJwtSvid({ token, audience: 'another' }), wrong);
      const [header, , signature] = token.split('.');
      const claims = Buffer.from(JSON.stringify({ sub: target.id, aud: AUDIENCE, exp: 4_102_444_800 }));
      const forged = [header, claims.toString('base64url'), signature].join('.');
      await refuses(client.validateJwtSvid({ token: forged, audience: AUDIENCE[0] ?? '' }), wrong);
      await refuses(client.validateJwtSvid({ token: 'a.b.c', audience: AUDIENCE[0] ?? '' }), wrong);
    });

    test('a call without the header, with two, or without an audience is an invalid argument', async () => {
      const { endpoint } = target;
      assert.equal(await rawJwtSvid(endpoint, AUDIENCE, 1), target.id);
      const invalid = (error: unknown): boolean => (error as ServiceError).code === status.INVALID_ARGUMENT;
      await assert.rejects(rawJwtSvid(endpoint, AUDIENCE, 0), invalid);
      await assert.rejects(rawJwtSvid(endpoint, AUDIENCE, 2), invalid);
      await assert.rejects(rawJwtSvid(endpoint, [], 1), invalid);
    });

    test('whoever watches is handed a new SVID before the old one ends', async () => {
      const done = new AbortController();
      const seen = new Map<string, number>();
      const update = (context: X509Context): void => {
        const nowMs = Date.now();
        const [{ expiresAtMs }] = context.svids;
        assert.ok(expiresAtMs > nowMs, 'an SVID that has ended was handed out');
        seen.set(serialOf(context), expiresAtMs);
        if (seen.size > 1) done.abort();
      };
      const watching = client.watchX509Context({ update }, { signal: done.signal });
      await eventually(() => Promise.resolve(assert.ok(seen.size > 0)));
      await target.rotate();
      await eventually(() => Promise.resolve(assert.ok(seen.size > 1)));
      await watching;
    });

    test('an identity that is taken away is denied to every call and to whoever watches, and served when given back', async () => {
      const done = new AbortController();
      const events: string[] = [];
      const watching = client.watchX509Context(
        {
          update: () => void events.push('update'),
          error: (error) => void events.push((error as SpiffeError).code),
        },
        { signal: done.signal },
      );
      await eventually(() => Promise.resolve(assert.ok(events.includes('update'))));
      await denied();
      const code = 'WORKLOAD_API_PERMISSION_DENIED';
      await refuses(client.fetchX509Bundles(), code);
      await refuses(client.fetchJwtBundles(), code);
      await refuses(client.fetchJwtSvids({ audience: AUDIENCE }), code);
      await eventually(() => Promise.resolve(assert.ok(events.includes(code))));
      events.length = 0;
      await identified();
      await eventually(() => Promise.resolve(assert.ok(events.includes('update'))));
      done.abort();
      await watching;
    });

    test('whoever watches is served again after a restart, of the same identity', async () => {
      const done = new AbortController();
      const ids: string[] = [];
      let failures = 0;
      const watching = client.watchX509Context(
        {
          update: ({ svids }) => void ids.push(svids[0].id.toString()),
          error: () => {
            failures += 1;
          },
        },
        { signal: done.signal },
      );
      await eventually(() => Promise.resolve(assert.ok(ids.length > 0)));
      ids.length = 0;
      await target.restart();
      await eventually(() => Promise.resolve(assert.ok(failures > 0 && ids.length > 0)));
      assert.equal(ids.at(-1), target.id);
      done.abort();
      await watching;
      await eventually(() => client.fetchJwtSvids({ audience: AUDIENCE }));
    });
  });
}

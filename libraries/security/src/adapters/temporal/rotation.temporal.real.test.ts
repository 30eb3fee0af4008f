import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { startTemporal, type TemporalServer } from '@neural-hive/real-stack';
import { beforeAll, expect, test, vi } from 'vitest';
import { Secret } from '../../common/index.ts';
import {
  type CredentialProvider,
  RotatingCredential,
  type RotationOutcome,
  svidCredential,
} from '../../credentials/index.ts';
import type { X509Svid } from '../../spiffe/index.ts';
import { FixedIdentity, x509SvidOf } from '../../testing/fixed-identity.ts';
import { rotateApiKey, rotatingConnection, rotatingNativeConnection, temporalTls } from './index.ts';
import { CountingProxy } from './testing/counting-proxy.ts';
import { TemporalLoad } from './testing/temporal-load.ts';
import { loadTemporalSdk, type SdkNativeConnection, type SdkWorker, type TemporalSdk } from './testing/temporal-sdk.ts';

vi.setConfig({ testTimeout: 600_000 });

const ROTATIONS = 20;
const LANES = 4;
const ID = 'spiffe://temporal.test/worker';
const activities = { work: async (step: number) => step };

let sdk: TemporalSdk;
beforeAll(async () => {
  sdk = await loadTemporalSdk();
}, 180_000);

/** Every generation is another SVID. */
function svids(server: TemporalServer, ttlSeconds = 3600): CredentialProvider<X509Svid> {
  return {
    name: 'svid',
    async obtain() {
      const svid = x509SvidOf(server.authority.issueX509Svid({ id: ID, ttlSeconds }));
      const { issuedAtMs, expiresAtMs } = svid;
      return { value: svid, issuedAtMs, expiresAtMs, revoke: async () => undefined };
    },
  };
}

function workerOptions(connection: SdkNativeConnection, taskQueue: string) {
  const patience = { shutdownForceTime: '10s', stickyQueueScheduleToStartTimeout: '2 minutes' };
  return { connection, taskQueue, workflowBundle: sdk.workflowBundle, activities, ...patience };
}

/** Runs a worker until the returned function is called, which resolves when it has ended. */
function started(
  run: (create: (connection: SdkNativeConnection) => Promise<SdkWorker>) => Promise<void>,
  taskQueue: string,
) {
  let worker: SdkWorker | undefined;
  const running = run(async (connection) => {
    worker = await sdk.Worker.create(workerOptions(connection, taskQueue));
    return worker;
  });
  running.catch(() => undefined);
  return async (): Promise<void> => {
    worker?.shutdown();
    await running;
  };
}

test('20 rotations of the certificate under load: no failed call, no lost task, and the old connections end', async () => {
  await using server = await startTemporal({ dynamic: { 'matching.longPollExpirationInterval': '5s' } });
  await using proxy = await CountingProxy.listen(server.address);
  const { address } = proxy;
  const tlsOf = (svid: X509Svid) =>
    temporalTls(svid, { serverCa: server.authority.certificatePem, serverName: 'localhost' });
  const credential = await RotatingCredential.open({ provider: svids(server) });
  // Without the driver's own repeating, a call that fails is seen.
  const connection = await rotatingConnection(credential, (svid) =>
    sdk.Connection.connect({ address, tls: tlsOf(svid), interceptors: [] }),
  );
  const native = await rotatingNativeConnection(credential, (svid) =>
    sdk.NativeConnection.connect({ address, tls: tlsOf(svid) }),
  );
  const { workflow } = new sdk.Client({ connection });
  const taskQueue = 'certificates';
  const stopWorker = started((create) => native.runWorker(create, (worker) => worker.run()), taskQueue);
  const load = new TemporalLoad(workflow, { taskQueue, lanes: LANES });
  await load.more(LANES);
  const outcomes = [];
  for (let rotation = 0; rotation < ROTATIONS; rotation += 1) {
    outcomes.push(await credential.rotate());
    await load.more(LANES);
  }
  const before = proxy.accepted;
  outcomes.push(await credential.rotate());
  await load.more(LANES);
  await proxy.ended(before);
  const { completed, failures, badTasks } = await load.stop();
  console.info(`${completed} workflows over ${outcomes.length} rotations, ${failures.length} failed`);
  expect([failures, badTasks]).toEqual([[], []]);
  expect(completed).toBeGreaterThan(ROTATIONS * LANES);
  const expected = outcomes.map(() => [true, undefined, 0]);
  expect(outcomes.map(({ ok, error, terminated }) => [ok, error, terminated])).toEqual(expected);
  expect([[...connection.uses()], [...native.uses()]]).toEqual([[[ROTATIONS + 2, 0]], [[ROTATIONS + 2, 1]]]);
  // One of the client and one of the worker.
  expect(proxy.open).toBeLessThanOrEqual(2);
  await stopWorker();
  await connection.close();
  await native.close();
  await credential.close();
});

test('work outlives certificates of 40 seconds, whose connections fail without a rotation', async () => {
  // The server has every connection made anew after some seconds: an expired certificate is not let in again.
  await using server = await startTemporal({
    dynamic: {
      'matching.longPollExpirationInterval': '5s',
      'frontend.keepAliveMaxConnectionAge': '3s',
      'frontend.keepAliveMaxConnectionAgeGrace': '8s',
    },
  });
  const { address, authority } = server;
  const ttlSeconds = 40;
  const tlsOf = (svid: X509Svid) => temporalTls(svid, { serverCa: authority.certificatePem, serverName: 'localhost' });
  const issue = (): X509Svid => x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds }));
  const identity = new FixedIdentity(issue(), [authority.bundle()]);
  const first = identity.getX509Svid();
  const credential = await RotatingCredential.open({ provider: svidCredential(identity) });
  const connection = await rotatingConnection(credential, (svid) =>
    sdk.Connection.connect({ address, tls: tlsOf(svid) }),
  );
  const native = await rotatingNativeConnection(credential, (svid) =>
    sdk.NativeConnection.connect({ address, tls: tlsOf(svid) }),
  );
  const { workflow } = new sdk.Client({ connection });
  const stopWorker = started((create) => native.runWorker(create, (worker) => worker.run()), 'rotated');
  // The same without the adapter, with the first certificate for good.
  const fixed = await sdk.Connection.connect({ address, tls: tlsOf(first), interceptors: [] });
  const fixedNative = await sdk.NativeConnection.connect({ address, tls: tlsOf(first) });
  const stopFixed = started(async (create) => (await create(fixedNative)).run(), 'fixed');
  const fixedClient = new sdk.Client({ connection: fixed }).workflow;
  const onFixed = (client: typeof workflow, workflowExecutionTimeout: string): Promise<unknown> =>
    client.execute('order', { taskQueue: 'fixed', workflowId: randomUUID(), args: [1], workflowExecutionTimeout });
  expect(await onFixed(fixedClient, '60s')).toBe(1);

  const load = new TemporalLoad(workflow, { taskQueue: 'rotated', lanes: 2 });
  const long = workflow.execute('wait', { taskQueue: 'rotated', workflowId: randomUUID(), args: [60_000] });
  const outcomes: boolean[] = [];
  credential.onRotation(({ ok }) => outcomes.push(ok));
  const rotate = setInterval(() => identity.setX509Svid(issue()), 8_000);
  // A wait of 60 s goes on while the certificate that it began with ends.
  expect(await long).toBe(60_000);
  expect(Date.now()).toBeGreaterThan(first.expiresAtMs);
  await load.more(4);
  clearInterval(rotate);
  const { completed, failures, badTasks } = await load.stop();
  console.info(`${completed} workflows over ${outcomes.length} certificates, ${failures.length} failed`);
  expect([failures, badTasks]).toEqual([[], []]);
  expect(outcomes.length).toBeGreaterThan(3);
  expect(outcomes).toEqual(outcomes.map(() => true));

  await expect(
    fixed.withDeadline(Date.now() + 20_000, () => fixed.workflowService.getSystemInfo({})),
  ).rejects.toThrow();
  // The server is well, and nobody works on this queue any more.
  await expect(onFixed(workflow, '10s')).rejects.toThrow();
  await stopWorker();
  await connection.close();
  await native.close();
  await credential.close();
  await fixed.close();
  await stopFixed().catch(() => undefined);
});

test('a worker without work is there after its first certificates have ended', async () => {
  // Its polls wait for a minute, and the server ends their connections before that.
  const dynamic = { 'frontend.keepAliveMaxConnectionAge': '3s', 'frontend.keepAliveMaxConnectionAgeGrace': '2s' };
  await using server = await startTemporal({ dynamic });
  const { address, authority } = server;
  const ttlSeconds = 30;
  const tlsOf = (svid: X509Svid) => temporalTls(svid, { serverCa: authority.certificatePem, serverName: 'localhost' });
  const credential = await RotatingCredential.open({ provider: svids(server, ttlSeconds) });
  const connection = await rotatingConnection(credential, (svid) =>
    sdk.Connection.connect({ address, tls: tlsOf(svid) }),
  );
  const native = await rotatingNativeConnection(credential, (svid) =>
    sdk.NativeConnection.connect({ address, tls: tlsOf(svid) }),
  );
  const stopWorker = started((create) => native.runWorker(create, (worker) => worker.run()), 'idle');
  const firstEndMs = credential.current().expiresAtMs;
  const outcomes: RotationOutcome[] = [];
  let rotating = true;
  const rotations = (async () => {
    while (rotating) {
      await delay(5_000);
      outcomes.push(await credential.rotate());
    }
  })();
  await delay(firstEndMs + ttlSeconds * 1_000 - Date.now());
  const { workflow } = new sdk.Client({ connection });
  const startMs = performance.now();
  const options = { taskQueue: 'idle', workflowId: randomUUID(), args: [3], workflowExecutionTimeout: '3 minutes' };
  expect(await workflow.execute('order', options)).toBe(6);
  console.info(`done ${Math.round(performance.now() - startMs)} ms after a minute without work`);
  rotating = false;
  await rotations;
  expect(outcomes.map(({ ok, error }) => [ok, error])).toEqual(outcomes.map(() => [true, undefined]));
  await stopWorker();
  await connection.close();
  await native.close();
  await credential.close();
});

test('API keys that live for seconds: each is tried before it is used, and work goes on', async () => {
  await using server = await startTemporal({
    authorization: true,
    dynamic: { 'matching.longPollExpirationInterval': '5s' },
  });
  const { address, authority } = server;
  let permissions = ['default:write'];
  const provider: CredentialProvider<Secret<string>> = {
    name: 'api-key',
    async obtain() {
      const nowMs = Date.now();
      const times = { issuedAtMs: nowMs, expiresAtMs: nowMs + 20_000 };
      return { value: new Secret(server.issueToken(permissions, 20)), ...times, revoke: async () => undefined };
    },
  };
  const svid = x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds: 3600 }));
  const tls = temporalTls(svid, { serverCa: authority.certificatePem, serverName: 'localhost' });
  const credential = await RotatingCredential.open({ provider });
  const apiKey = credential.current().value.reveal();
  const client = await sdk.Connection.connect({ address, tls, apiKey, interceptors: [] });
  const native = await sdk.NativeConnection.connect({ address, tls, apiKey });
  const detach = [await rotateApiKey(client, credential), await rotateApiKey(native, credential)];
  const { workflow } = new sdk.Client({ connection: client });
  const stopWorker = started(async (create) => (await create(native)).run(), 'keys');
  const fixed = await sdk.Connection.connect({ address, tls, apiKey, interceptors: [] });
  const { describeNamespace } = fixed.workflowService;
  const askFixed = () => describeNamespace.call(fixed.workflowService, { namespace: 'default' });
  await askFixed();

  const load = new TemporalLoad(workflow, { taskQueue: 'keys', lanes: 2 });
  const endMs = Date.now() + 45_000;
  const outcomes: boolean[] = [];
  while (Date.now() < endMs) {
    outcomes.push((await credential.rotate()).ok);
    await load.more(4);
  }
  permissions = ['other:write'];
  expect(await credential.rotate()).toMatchObject({ ok: false, error: { code: 'probe-failed' } });
  permissions = ['default:write'];
  outcomes.push((await credential.rotate()).ok);
  const { completed, failures, badTasks } = await load.stop();
  console.info(`${completed} workflows over ${outcomes.length} keys, ${failures.length} failed`);
  expect([failures, badTasks]).toEqual([[], []]);
  expect(outcomes).toEqual(outcomes.map(() => true));
  await expect(askFixed()).rejects.toThrow(/PERMISSION_DENIED|UNAUTHENTICATED/);
  for (const stop of detach) stop();
  await stopWorker();
  for (const connection of [client, native, fixed]) await connection.close();
  await credential.close();
});

import { status } from '@grpc/grpc-js';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import {
  AgentChangeEvent_EventType as EventType,
  ServiceRegistryService,
} from '@neural-hive/contracts/proto/service-registry';
import { spiffeAgent } from '@neural-hive/security/http';
import { matchId } from '@neural-hive/security/spiffe';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { HEALTH_SERVICE } from './api/health-message.ts';
import { codeOf, unaryCall } from './testing/grpc-call.ts';
import { RedisStage } from './testing/redis-stage.ts';
import { events, type RunningRegistry, registration, startRegistry } from './testing/running-registry.ts';
import { TestPlatform } from './testing/test-platform.ts';

const { register, heartbeat, deregister, discoverAgents, getAgent, notifyAgent } = ServiceRegistryService;
const discovery = { capabilities: ['build'], filters: {}, maxResults: 0 };

let platform: TestPlatform;
let stage: RedisStage;
const running: RunningRegistry[] = [];

/** Replicas of the whole service, logged in to OpenBao with the registry's own JWT-SVID and policy. */
beforeAll(async () => {
  platform = await TestPlatform.open();
  stage = await RedisStage.open({ jwtKeys: platform.jwtKeys });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ service }) => service.close()));
  await stage.reset();
});
afterAll(async () => {
  await stage?.close();
  await platform?.close();
});

async function start(env: Record<string, string> = {}): Promise<RunningRegistry> {
  const started = await startRegistry(platform, {
    REGISTRY_STORE: 'redis',
    REDIS_HOST: stage.redis.host,
    REDIS_PORT: String(stage.redis.port),
    REDIS_CA_BUNDLE: stage.redis.caFile,
    VAULT_ADDRESS: stage.bao.address,
    VAULT_CA_BUNDLE: stage.bao.caFile,
    VAULT_AUTH_METHOD: 'jwt',
    ...env,
  });
  running.push(started);
  return started;
}

test('what one replica is told the other one answers, and a watch goes on at the other when its own ends', async () => {
  const [a, b] = [await start(), await start()];
  const workerA = await platform.clientOf(SPIFFE_IDS.worker, a.port);
  const workerB = await platform.clientOf(SPIFFE_IDS.worker, b.port);
  const orchestrator = await platform.clientOf(SPIFFE_IDS.orchestrator, b.port);

  const { agentId } = await unaryCall(workerA, register, registration());
  expect(await unaryCall(orchestrator, discoverAgents, discovery)).toMatchObject({
    agents: [{ agentId }],
    scores: [0.7],
  });
  expect(await unaryCall(workerB, register, registration())).toMatchObject({ agentId });
  expect(await unaryCall(workerB, heartbeat, { agentId, telemetry: undefined })).toMatchObject({ status: 1 });

  const watch = events(workerA.watchAgents({ agentType: 0, afterRevision: 0, agentId }));
  const { revision } = await watch();
  const notification = { notificationType: 'drain', message: 'finish', metadata: {} };
  expect(await unaryCall(orchestrator, notifyAgent, { agentId, ...notification })).toMatchObject({ success: true });
  expect(await watch()).toMatchObject({ eventType: EventType.NOTIFIED, revision: revision + 1, notification });

  const ended = watch().catch((error: { code: number }) => error.code);
  await a.service.close();
  expect(await ended).toBe(status.UNAVAILABLE);
  expect(await unaryCall(orchestrator, notifyAgent, { agentId, ...notification })).toMatchObject({ success: false });
  await unaryCall(workerB, register, registration({ version: '2' }));
  const resumed = workerB.watchAgents({ agentType: 0, afterRevision: revision, agentId }).on('error', () => undefined);
  const next = events(resumed);
  expect(await next()).toMatchObject({ eventType: EventType.NOTIFIED, revision: revision + 1 });
  expect(await next()).toMatchObject({ eventType: EventType.UPDATED, revision: revision + 2, agent: { version: '2' } });
  resumed.cancel();
  expect(await unaryCall(workerB, deregister, { agentId })).toEqual({ success: true });
  expect(await codeOf(unaryCall(orchestrator, getAgent, { agentId }))).toBe(status.NOT_FOUND);
});

test('of an agent that falls silent each step is announced once, however many replicas look', async () => {
  const timing = { HEARTBEAT_TIMEOUT_SECONDS: '0.6', HEALTH_CHECK_INTERVAL_SECONDS: '0.05' };
  const replicas = [await start(timing), await start(timing)];
  const worker = await platform.clientOf(SPIFFE_IDS.worker, replicas[0]?.port ?? 0);
  const watch = events(
    (await platform.clientOf(SPIFFE_IDS.operator, replicas[1]?.port ?? 0))
      .watchAgents({
        agentType: 0,
        afterRevision: 0,
      })
      .on('error', () => undefined),
  );
  await unaryCall(worker, register, registration());
  const seen = [await watch(), await watch(), await watch()];
  expect(seen.map(({ eventType }) => eventType)).toEqual([
    EventType.REGISTERED,
    EventType.STATUS_CHANGED,
    EventType.DEREGISTERED,
  ]);
  const counts = await Promise.all(
    replicas.map(async ({ metrics }) => Number(/^agents_removed_total (\d+)$/m.exec(await metrics())?.[1])),
  );
  expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(1);
});

test('item 19: with Vault and nothing to fall back to the service serves, and says of each part whether it holds', async () => {
  const { port, http, metrics, managementPort } = await start();
  const probe = await platform.clientOf(SPIFFE_IDS.operator, port, { authorization: 'none' });
  expect(await unaryCall(probe, HEALTH_SERVICE.check, { service: '' })).toEqual({ status: 'SERVING' });
  expect(JSON.parse((await http('/ready')).body)).toMatchObject({ ok: true, security: 'healthy', reasons: [] });
  expect(await metrics()).toMatch(/^vault_token_ttl_seconds \d/m);

  const { x509 } = await platform.identityOf(SPIFFE_IDS.operator);
  const dispatcher = spiffeAgent({ identity: x509, authorize: matchId(SPIFFE_IDS.registry) });
  const ask = async (method: 'GET' | 'POST', path: string, body?: unknown) => {
    const response = await dispatcher.request({
      origin: `https://127.0.0.1:${managementPort}`,
      method,
      path,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return (await response.body.json()) as Record<string, unknown>;
  };
  await ask('POST', '/v1/credentials/load', { action: 'start' });
  await ask('POST', '/v1/credentials/rotate', { all: true, times: 2 });
  await ask('POST', '/v1/credentials/load', { action: 'stop' });
  const { rotations } = (await ask('GET', '/v1/report')) as { rotations: Record<string, unknown>[] };
  const forced = rotations.filter(({ reason }) => reason === 'forced');
  expect(forced.filter(({ name }) => name === 'database/registry-redis')).toHaveLength(2);
  expect(forced.filter(({ name }) => name === 'vault-token')).toHaveLength(2);
  for (const rotation of rotations) expect(rotation).toMatchObject({ ok: true, failed: 0, retried: 0, terminated: 0 });
  await dispatcher.close();

  const pid = Number(/^process_id:(\d+)/m.exec(await stage.admin.info('server'))?.[1]);
  process.kill(pid, 'SIGSTOP');
  try {
    while ((await http('/ready')).status === 200);
    expect(await unaryCall(probe, HEALTH_SERVICE.check, { service: '' })).toEqual({ status: 'NOT_SERVING' });
    // A new process would not find another Redis.
    expect((await http('/health')).status).toBe(200);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  while ((await http('/ready')).status !== 200);
  expect(await unaryCall(probe, HEALTH_SERVICE.check, { service: '' })).toEqual({ status: 'SERVING' });
});

test('without a login there is no service', async () => {
  await expect(start({ VAULT_KUBERNETES_ROLE: 'worker-agents' })).rejects.toThrow('auth/jwt/login');
  await expect(start({ REDIS_CA_BUNDLE: stage.bao.caFile })).rejects.toThrow(/certificate|verify/);
});

import { join } from 'node:path';
import { credentials, Metadata, status } from '@grpc/grpc-js';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import {
  AgentChangeEvent_EventType as EventType,
  ServiceRegistryClient,
  ServiceRegistryService,
} from '@neural-hive/contracts/proto/service-registry';
import { spiffeAgent } from '@neural-hive/security/http';
import { matchId } from '@neural-hive/security/spiffe';
import { CertificateAuthority, FixedIdentity } from '@neural-hive/security/testing';
import { connectTls } from '@neural-hive/security/tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HEALTH_SERVICE } from './api/health-message.ts';
import { codeOf, unaryCall } from './testing/grpc-call.ts';
import { events, type RunningRegistry, registration, startRegistry } from './testing/running-registry.ts';
import { bearer, TestPlatform } from './testing/test-platform.ts';

const { register, heartbeat, deregister, discoverAgents, getAgent, listAgents, notifyAgent } = ServiceRegistryService;

let platform: TestPlatform;
let running: RunningRegistry[];

beforeEach(async () => {
  platform = await TestPlatform.open();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map(({ service }) => service.close()));
  await platform.close();
});

async function start(env: Record<string, string> = {}): Promise<RunningRegistry> {
  const started = await startRegistry(platform, env);
  running.push(started);
  return started;
}

const discovery = { capabilities: ['build'], filters: {}, maxResults: 0 };
const everyone = { agentType: 0, filters: {}, pageSize: 0, pageToken: '' } as const;

describe('the platform’s own calls', () => {
  test('a worker registers, the orchestrator finds and notifies it, the operator reads, each by its identity', async () => {
    const { port } = await start();
    const worker = await platform.clientOf(SPIFFE_IDS.worker, port);
    const orchestrator = await platform.clientOf(SPIFFE_IDS.orchestrator, port);
    const operator = await platform.clientOf(SPIFFE_IDS.operator, port);

    const { agentId } = await unaryCall(worker, register, registration());
    await unaryCall(worker, heartbeat, { agentId, telemetry: undefined });
    const found = await unaryCall(orchestrator, discoverAgents, discovery);
    expect(found).toMatchObject({ agents: [{ agentId, spiffeId: SPIFFE_IDS.worker }], scores: [0.7] });

    const watch = worker.watchAgents({ agentType: 0, afterRevision: 0 });
    const next = events(watch);
    expect(await next()).toMatchObject({ eventType: EventType.REGISTERED, agent: { agentId } });
    const notification = { notificationType: 'drain', message: 'finish', metadata: {} };
    expect(await unaryCall(orchestrator, notifyAgent, { agentId, ...notification })).toMatchObject({ success: true });
    expect(await next()).toMatchObject({ eventType: EventType.NOTIFIED, notification });

    expect(await unaryCall(operator, listAgents, everyone)).toMatchObject({ agents: [{ agentId }] });
    expect(await unaryCall(operator, getAgent, { agentId })).toMatchObject({ agent: { agentId } });
    expect(await unaryCall(worker, deregister, { agentId })).toEqual({ success: true });
    expect(await unaryCall(orchestrator, discoverAgents, discovery)).toMatchObject({ agents: [] });
    watch.on('error', () => undefined).cancel();
  });

  test('health is told by gRPC without a token, and by HTTP', async () => {
    const { port, http } = await start();
    const client = await platform.clientOf(SPIFFE_IDS.operator, port, { authorization: 'none' });
    expect(await unaryCall(client, HEALTH_SERVICE.check, { service: '' })).toEqual({ status: 'SERVING' });
    expect(await http('/health')).toMatchObject({ status: 200 });
    expect(await http('/ready')).toMatchObject({ status: 200 });
    const { body } = await http('/metrics');
    for (const name of ['agents_active', 'registry_operations_total', 'grpc_auth_attempts_total']) {
      expect(body).toContain(`# TYPE ${name} `);
    }
    expect(body).toMatch(/^spiffe_svid_ttl_seconds\{svid_type="x509"\} \d/m);
    // The registry has no Vault: a 0 would say that its token has ended.
    expect(body).not.toMatch(/^vault_token_ttl_seconds \d/m);
  });
});

describe('a refused call', () => {
  const own = { id: SPIFFE_IDS.worker, audience: AUDIENCES.registry, ttlSeconds: 60, issuer: SPIFFE_ISSUER };
  const foreign = CertificateAuthority.create('elsewhere.example');
  const impostor = CertificateAuthority.create(TRUST_DOMAIN);
  const pastMs = Date.now() - 120_000;

  /** What is wrong, the call's metadata, the status, and who connects: default the worker. */
  const refusals: readonly [string, (p: TestPlatform) => Metadata, number, string?][] = [
    ['without a token', () => new Metadata(), status.UNAUTHENTICATED],
    [
      'with a token for another audience',
      (p) => bearer(p.authority.issueJwtSvid({ ...own, audience: AUDIENCES.orchestrator })),
      status.UNAUTHENTICATED,
    ],
    [
      'with an expired token, without leeway',
      (p) => bearer(p.authority.issueJwtSvid({ ...own, issuedAtMs: pastMs, ttlSeconds: 119 })),
      status.UNAUTHENTICATED,
    ],
    [
      'with a token of another issuer',
      (p) => bearer(p.authority.issueJwtSvid({ ...own, issuer: 'https://elsewhere.example' })),
      status.UNAUTHENTICATED,
    ],
    [
      'with a token of a foreign trust domain',
      () => bearer(foreign.issueJwtSvid({ ...own, id: 'spiffe://elsewhere.example/worker' })),
      status.UNAUTHENTICATED,
    ],
    ['with a token that another key signed', () => bearer(impostor.issueJwtSvid(own)), status.UNAUTHENTICATED],
    [
      'by an identity that may not call the method',
      (p) => bearer(p.authority.issueJwtSvid({ ...own, id: SPIFFE_IDS.orchestrator })),
      status.PERMISSION_DENIED,
      SPIFFE_IDS.orchestrator,
    ],
    [
      'with a token that belongs to another workload than the connection',
      (p) => bearer(p.authority.issueJwtSvid(own)),
      status.PERMISSION_DENIED,
      SPIFFE_IDS.orchestrator,
    ],
  ];

  test.each(refusals)(
    '%s is refused, counted and logged without the token',
    async (_name, metadataOf, code, caller) => {
      const { port, metrics, logged } = await start();
      const client = await platform.clientOf(SPIFFE_IDS.worker, port, { authorization: 'none' });
      const good = bearer(platform.authority.issueJwtSvid(own));
      const { agentId } = await unaryCall(client, register, registration(), good);
      const method = register.path;
      const before = await failures(metrics, method);

      const metadata = metadataOf(platform);
      const refused = await platform.clientOf(caller ?? SPIFFE_IDS.worker, port, { authorization: 'none' });
      expect(await codeOf(unaryCall(refused, register, registration({ instanceId: 'other' }), metadata))).toBe(code);

      expect(await failures(metrics, method)).toBe(before + 1);
      const text = await metrics();
      expect(text).toMatch(new RegExp(`grpc_auth_attempts_total\\{method="${method}",status="allowed"\\} 1`));
      expect(text).toMatch(new RegExp(`grpc_auth_attempts_total\\{method="${method}",status="denied"\\} 1`));
      const { agents } = await unaryCall(client, discoverAgents, discovery, good);
      expect(agents.map((agent) => agent.agentId)).toEqual([agentId]);
      const [token] = metadata.get('authorization');
      const lines = logged.filter((line) => line.includes('refused'));
      expect(lines.length).toBe(1);
      if (token !== undefined) expect(logged.join('')).not.toContain(String(token).slice('Bearer '.length));
    },
  );

  test('for reflection finds none, with a token or without', async () => {
    const { port } = await start();
    const method = { ...HEALTH_SERVICE.check, path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' };
    const legacy = { ...method, path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo' };
    for (const authorization of ['own', 'none'] as const) {
      const client = await platform.clientOf(SPIFFE_IDS.operator, port, { authorization });
      expect(await codeOf(unaryCall(client, HEALTH_SERVICE.check, { service: '' }))).toBe(status.OK);
      for (const { path } of [method, legacy]) {
        expect(await codeOf(unaryCall(client, { ...method, path }, { service: '' }))).toBe(status.UNIMPLEMENTED);
      }
    }
  });

  test('each method admits exactly the identities of the table', async () => {
    const { port } = await start();
    const clients = {
      worker: await platform.clientOf(SPIFFE_IDS.worker, port),
      orchestrator: await platform.clientOf(SPIFFE_IDS.orchestrator, port),
      operator: await platform.clientOf(SPIFFE_IDS.operator, port),
    };
    const agentId = '00000000-0000-8000-8000-000000000000';
    const calls: Record<string, (client: ServiceRegistryClient) => Promise<unknown>> = {
      register: (client) => unaryCall(client, register, registration()),
      heartbeat: (client) => unaryCall(client, heartbeat, { agentId, telemetry: undefined }),
      deregister: (client) => unaryCall(client, deregister, { agentId }),
      discover: (client) => unaryCall(client, discoverAgents, discovery),
      get: (client) => unaryCall(client, getAgent, { agentId }),
      list: (client) => unaryCall(client, listAgents, everyone),
      notify: (client) => unaryCall(client, notifyAgent, { agentId, notificationType: 't', message: '', metadata: {} }),
      watch: async (client) => {
        const stream = client.watchAgents({ agentType: 0, afterRevision: 99 });
        await events(stream)();
      },
    };
    const admitted: Record<string, string[]> = {};
    for (const [name, call] of Object.entries(calls)) {
      admitted[name] = [];
      for (const [who, client] of Object.entries(clients)) {
        if ((await codeOf(call(client))) !== status.PERMISSION_DENIED) admitted[name].push(who);
      }
    }
    expect(admitted).toEqual({
      register: ['worker'],
      heartbeat: ['worker'],
      deregister: ['worker'],
      discover: ['worker', 'orchestrator'],
      get: ['worker', 'orchestrator', 'operator'],
      list: ['worker', 'orchestrator', 'operator'],
      notify: ['orchestrator', 'operator'],
      watch: ['worker', 'orchestrator', 'operator'],
    });
  });
});

describe('a connection', () => {
  test('is open to the platform’s identities only', async () => {
    const { port } = await start();
    const known = await platform.clientOf(SPIFFE_IDS.worker, port);
    await unaryCall(known, register, registration());
    const stranger = await platform.clientOf(`spiffe://${TRUST_DOMAIN}/ns/elsewhere/sa/stranger`, port);
    expect(await codeOf(unaryCall(stranger, listAgents, everyone))).toBe(status.UNAVAILABLE);
    const plain = new ServiceRegistryClient(`127.0.0.1:${port}`, credentials.createInsecure());
    expect(await codeOf(unaryCall(plain, listAgents, everyone))).toBe(status.UNAVAILABLE);
    plain.close();
  });

  test('goes on while both sides’ SVIDs rotate, and new ones use the new SVID', async () => {
    const { port } = await start();
    const worker = await platform.clientOf(SPIFFE_IDS.worker, port);
    const { agentId } = await unaryCall(worker, register, registration());
    const watch = worker.watchAgents({ agentType: 0, afterRevision: 0 });
    const next = events(watch);
    await next();
    const prober = FixedIdentity.issue(platform.authority, SPIFFE_IDS.operator);
    const served = async (): Promise<string> => {
      const socket = await connectTls({
        identity: prober,
        authorize: matchId(SPIFFE_IDS.registry),
        host: '127.0.0.1',
        port,
        alpnProtocols: ['h2'],
      });
      const serial = socket.getPeerX509Certificate()?.serialNumber ?? '';
      socket.destroy();
      return serial;
    };
    const serials = new Set([await served()]);
    for (let round = 0; round < 3; round += 1) {
      platform.issuer.rotateX509();
      const beats = Array.from({ length: 20 }, () => unaryCall(worker, heartbeat, { agentId, telemetry: undefined }));
      await Promise.all(beats);
      while (serials.size < round + 2) serials.add(await served());
      const late = await platform.clientOf(SPIFFE_IDS.worker, port, {
        channel: { 'grpc.use_local_subchannel_pool': 1 },
      });
      await unaryCall(late, heartbeat, { agentId, telemetry: undefined });
    }
    await unaryCall(worker, register, registration({ version: 'after' }));
    expect(await next()).toMatchObject({ eventType: EventType.UPDATED, agent: { version: 'after' } });
    watch.on('error', () => undefined).cancel();
  });
});

describe('time and restarts', () => {
  test('an agent without heartbeat is announced UNHEALTHY, not found meanwhile, then removed', async () => {
    const { port, metrics } = await start({
      HEARTBEAT_TIMEOUT_SECONDS: '0.4',
      HEALTH_CHECK_INTERVAL_SECONDS: '0.05',
    });
    const worker = await platform.clientOf(SPIFFE_IDS.worker, port);
    const { agentId } = await unaryCall(worker, register, registration());
    expect((await unaryCall(worker, discoverAgents, discovery)).agents).toHaveLength(1);
    const next = events(worker.watchAgents({ agentType: 0, afterRevision: 0 }).on('error', () => undefined));
    expect(await next()).toMatchObject({ eventType: EventType.REGISTERED, agent: { agentId } });
    expect(await next()).toMatchObject({ eventType: EventType.STATUS_CHANGED, agent: { agentId, status: 2 } });
    expect((await unaryCall(worker, discoverAgents, discovery)).agents).toHaveLength(0);
    expect(await next()).toMatchObject({ eventType: EventType.DEREGISTERED, agent: { agentId } });
    expect(await codeOf(unaryCall(worker, heartbeat, { agentId, telemetry: undefined }))).toBe(status.NOT_FOUND);
    const text = await metrics();
    expect(text).toMatch(/agents_marked_unhealthy_total 1/);
    expect(text).toMatch(/agents_removed_total 1/);
  });

  test('after a restart an agent goes on under its id, and a watch behind its revision', async () => {
    const journal = { REGISTRY_JOURNAL_FILE: join(platform.folder, 'journal') };
    const first = await start(journal);
    const before = await platform.clientOf(SPIFFE_IDS.worker, first.port);
    const { agentId } = await unaryCall(before, register, registration());
    const watch = before.watchAgents({ agentType: 0, afterRevision: 0 });
    const next = events(watch);
    const { revision } = await next();
    const ended = next().catch((error: { code: number }) => error.code);
    await first.service.close();
    expect(await ended).toBe(status.UNAVAILABLE);

    const second = await start(journal);
    const after = await platform.clientOf(SPIFFE_IDS.worker, second.port);
    await unaryCall(after, heartbeat, { agentId, telemetry: undefined });
    await unaryCall(after, register, registration({ instanceId: 'worker-2' }));
    const resumed = events(after.watchAgents({ agentType: 0, afterRevision: revision }).on('error', () => undefined));
    expect(await resumed()).toMatchObject({ eventType: EventType.REGISTERED, revision: revision + 1 });
    const again = await unaryCall(after, register, registration());
    expect(again.agentId).toBe(agentId);
  });
});

test('the operator sees the SVID rotate under handshakes that all succeed', async () => {
  const { managementPort } = await start();
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
  expect(await ask('GET', '/v1/credentials')).toMatchObject({
    credentials: [{ name: 'x509-svid', kind: 'x509-svid', generation: 1, ttlSeconds: 3_610 }],
  });
  await ask('POST', '/v1/credentials/load', { action: 'start' });
  await ask('POST', '/v1/credentials/expect', { name: 'x509-svid', times: 1 });
  const updated = new Promise<void>((resolve) => {
    platform.issuer.onChange(() => resolve());
  });
  platform.issuer.rotateX509(SPIFFE_IDS.registry);
  await updated;
  let report = await ask('GET', '/v1/report');
  while ((report.rotations as unknown[]).length === 0) report = await ask('GET', '/v1/report');
  expect(report).toMatchObject({
    rotations: [{ name: 'x509-svid', reason: 'forced', failed: 0, retried: 0, terminated: 0 }],
    totals: { total: 1, forced: 1, failedOperations: 0 },
  });
  await dispatcher.close();
});

/** All refusals of a method, whatever the reason. */
async function failures(metrics: () => Promise<string>, method: string): Promise<number> {
  const lines = (await metrics()).split('\n').filter((line) => line.startsWith('grpc_auth_failures_total{'));
  return lines
    .filter((line) => line.includes(`method="${method}"`) && /reason="[a-z_-]+"/i.test(line))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

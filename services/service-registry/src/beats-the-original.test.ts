import { credentials, status } from '@grpc/grpc-js';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import {
  AgentChangeEvent_EventType as EventType,
  RegisterResponse,
  ServiceRegistryClient,
  ServiceRegistryService,
} from '@neural-hive/contracts/proto/service-registry';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { METHOD_CALLERS, METHOD_EXCEPTIONS } from './api/auth-table.ts';
import { sweepAgents } from './domain/health-sweep.ts';
import { codeOf, unaryCall } from './testing/grpc-call.ts';
import { command, OTHER_WORKER, openRegistry, TIMING, telemetry, WORKER } from './testing/registry-fixture.ts';
import { events, type RunningRegistry, registration, startRegistry } from './testing/running-registry.ts';
import { bearer, TestPlatform } from './testing/test-platform.ts';

const { register, discoverAgents, getAgent, listAgents, watchAgents, notifyAgent } = ServiceRegistryService;
const wanted = { capabilities: ['build'], filters: {}, maxResults: 0 };

/** What was wrong with the registry of the original system, by the numbers of that list; 19 needs a real Vault. */
describe('behind authentication', () => {
  let platform: TestPlatform;
  const running: RunningRegistry[] = [];

  beforeEach(async () => {
    platform = await TestPlatform.open();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ service }) => service.close()));
    await platform.close();
  });

  async function start(env: Record<string, string> = {}): Promise<RunningRegistry> {
    const started = await startRegistry(platform, env);
    running.push(started);
    return started;
  }

  const token = { id: SPIFFE_IDS.worker, audience: AUDIENCES.registry, ttlSeconds: 60, issuer: SPIFFE_ISSUER };

  test('item 14: a JWT-SVID with audience and end is accepted, a token without either is not', async () => {
    const { port } = await start();
    const client = await platform.clientOf(SPIFFE_IDS.worker, port, { authorization: 'none' });
    const send = (claims: Record<string, unknown>): Promise<number> =>
      codeOf(
        unaryCall(client, register, registration(), bearer(platform.authority.issueJwtSvid({ ...token, claims }))),
      );
    // Keys of the authority are EC keys, which the original could not even read.
    expect(await send({})).toBe(status.OK);
    expect(await send({ aud: undefined })).toBe(status.UNAUTHENTICATED);
    expect(await send({ exp: undefined })).toBe(status.UNAUTHENTICATED);
    expect(await send({ aud: undefined, exp: undefined })).toBe(status.UNAUTHENTICATED);
  });

  test('item 15: an unknown key id, another audience and another trust domain are refused', async () => {
    const { port } = await start();
    const client = await platform.clientOf(SPIFFE_IDS.worker, port, { authorization: 'none' });
    const send = (jwt: string): Promise<number> => codeOf(unaryCall(client, register, registration(), bearer(jwt)));
    const { authority } = platform;
    expect(await send(authority.issueJwtSvid(token))).toBe(status.OK);
    expect(await send(authority.issueJwtSvid({ ...token, header: { kid: 'unknown' } }))).toBe(status.UNAUTHENTICATED);
    expect(await send(CertificateAuthority.create(TRUST_DOMAIN).issueJwtSvid(token))).toBe(status.UNAUTHENTICATED);
    expect(await send(authority.issueJwtSvid({ ...token, audience: `spiffe://${TRUST_DOMAIN}` }))).toBe(
      status.UNAUTHENTICATED,
    );
    const elsewhere = token.id.replace(TRUST_DOMAIN, 'elsewhere.example');
    expect(await send(authority.issueJwtSvid({ ...token, id: elsewhere }))).toBe(status.UNAUTHENTICATED);
  });

  test('item 16: the table names the identities that exist, somebody may call each method, a denied stream says so', async () => {
    expect(Object.keys(METHOD_CALLERS).sort()).toEqual(
      Object.values(ServiceRegistryService)
        .map(({ path }) => path)
        .sort(),
    );
    const known: readonly string[] = Object.values(SPIFFE_IDS);
    for (const callers of Object.values(METHOD_CALLERS)) {
      expect(callers.length).toBeGreaterThan(0);
      for (const caller of callers) expect(known).toContain(caller);
    }
    const { port } = await start();
    const { agentId } = await unaryCall(await platform.clientOf(SPIFFE_IDS.worker, port), register, registration());
    const orchestrator = await platform.clientOf(SPIFFE_IDS.orchestrator, port);
    expect((await unaryCall(orchestrator, discoverAgents, wanted)).agents).toMatchObject([{ agentId }]);
    expect((await unaryCall(orchestrator, getAgent, { agentId })).agent).toMatchObject({ agentId });
    const everyone = { agentType: 0, filters: {}, pageSize: 0, pageToken: '' } as const;
    expect((await unaryCall(orchestrator, listAgents, everyone)).agents).toHaveLength(1);
    const notification = { notificationType: 't', message: '', metadata: {} };
    expect(await codeOf(unaryCall(orchestrator, notifyAgent, { agentId, ...notification }))).toBe(status.OK);
    const watch = orchestrator.watchAgents({ agentType: 0, afterRevision: 0 });
    expect(await events(watch)()).toMatchObject({ eventType: EventType.REGISTERED });
    watch.on('error', () => undefined).cancel();

    const unlisted = await platform.clientOf(SPIFFE_IDS.registry, port);
    const denied = events(unlisted.watchAgents({ agentType: 0, afterRevision: 0 }));
    await expect(denied()).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect(METHOD_EXCEPTIONS).not.toContain(watchAgents.path);
  });

  test('item 18: without an identity there is no service, whatever the environment is called', {
    timeout: 120_000,
  }, async () => {
    const environments = ['development', 'test', 'staging', 'production'];
    const unidentified = environments.map((ENVIRONMENT) =>
      expect(start({ ENVIRONMENT, SPIFFE_ENDPOINT_SOCKET: 'tcp://127.0.0.1:1' })).rejects.toMatchObject({
        name: 'SpiffeError',
      }),
    );
    for (const ENVIRONMENT of environments) {
      const { port } = await start({ ENVIRONMENT });
      const client = await platform.clientOf(SPIFFE_IDS.worker, port, { authorization: 'none' });
      expect(await codeOf(unaryCall(client, register, registration()))).toBe(status.UNAUTHENTICATED);
      const plain = new ServiceRegistryClient(`127.0.0.1:${port}`, credentials.createInsecure());
      expect(await codeOf(unaryCall(plain, register, registration()))).toBe(status.UNAVAILABLE);
      plain.close();
    }
    await Promise.all(unidentified);
  });
});

describe('by the rules of the registry', () => {
  const notification = { type: 'drain', message: 'finish', metadata: {} };

  test('item 17: an agent answers to the identity that registered it, and no token is handed out', async () => {
    const { registry } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    await registry.heartbeat(WORKER, agentId, telemetry({ active: 1 }));
    await expect(registry.heartbeat(OTHER_WORKER, agentId, undefined)).rejects.toMatchObject({ code: 'not_yours' });
    await expect(registry.deregister(OTHER_WORKER, agentId)).rejects.toMatchObject({ code: 'not_yours' });
    // The same name under another identity is another agent.
    expect((await registry.register(OTHER_WORKER, command())).agentId).not.toBe(agentId);
    expect(await registry.get(agentId)).toMatchObject({ agent: { spiffeId: WORKER, telemetry: { active: 1 } } });
    expect(RegisterResponse.create()).not.toHaveProperty('registrationToken');
  });

  test('item 20: a dead agent is announced once and then gone, is never found meanwhile, and looking puts nothing off', async () => {
    const { registry, store, clock } = await openRegistry();
    const look = () => sweepAgents({ store, timing: TIMING, sinceMs: 0, clock });
    const { agentId } = await registry.register(WORKER, command());
    expect(await registry.discover(wanted)).toHaveLength(1);
    await clock.advance(TIMING.heartbeatTimeoutMs + 1);
    for (let round = 0; round < 20; round += 1) {
      await look();
      expect((await registry.get(agentId)).status).toBe('UNHEALTHY');
      expect(await registry.discover(wanted)).toEqual([]);
    }
    await clock.advance(TIMING.heartbeatTimeoutMs);
    await look();
    await expect(registry.get(agentId)).rejects.toMatchObject({ code: 'unknown_agent' });
    expect((await store.changesAfter(0)).map(({ type, agent }) => [type, agent.status])).toEqual([
      ['REGISTERED', 'HEALTHY'],
      ['STATUS_CHANGED', 'UNHEALTHY'],
      ['DEREGISTERED', 'UNHEALTHY'],
    ]);
  });

  test('item 21: Register may be repeated and keeps its telemetry, a heartbeat needs none, and no ghost is left', async () => {
    const { registry, store } = await openRegistry();
    const first = await registry.register(WORKER, command({ telemetry: telemetry({ active: 2 }) }));
    expect(first).toMatchObject({ status: 'HEALTHY', telemetry: { active: 2 } });
    expect(await registry.heartbeat(WORKER, first.agentId, undefined)).toMatchObject({
      status: 'HEALTHY',
      telemetry: { active: 2 },
    });
    for (let round = 0; round < 5; round += 1) {
      expect((await registry.register(WORKER, command())).agentId).toBe(first.agentId);
    }
    expect((await store.snapshot()).agents).toHaveLength(1);
    const silent = await registry.register(WORKER, command({ instanceId: 'says-nothing' }));
    expect((await registry.heartbeat(WORKER, silent.agentId, undefined)).status).toBe('HEALTHY');
  });

  test('item 22: notifications arrive, illness is an event, ranking is stable and told, lists have pages', async () => {
    const { registry, watchers, store, clock } = await openRegistry();
    for (const instanceId of 'abc') await registry.register(WORKER, command({ instanceId }));
    const orders = await Promise.all(Array.from({ length: 10 }, () => registry.discover(wanted)));
    for (const ranked of orders) {
      expect(ranked.map(({ score }) => score)).toEqual([0.7, 0.7, 0.7]);
      expect(ranked.map(({ candidate }) => candidate.agent.agentId)).toEqual(
        orders[0]?.map(({ candidate }) => candidate.agent.agentId),
      );
    }
    const page = await registry.list({ type: undefined, filters: {}, pageSize: 2, afterId: '' });
    expect(page.agents).toHaveLength(2);
    expect(page.nextAfterId).toBe(page.agents[1]?.agent.agentId);

    const stopping = new AbortController();
    const { revision } = await store.snapshot();
    const agentId = page.agents[0]?.agent.agentId ?? '';
    const request = { caller: WORKER, type: undefined, agentId, afterRevision: revision, signal: stopping.signal };
    const watch = watchers.watch(request);
    const notified = watch.next();
    while (!(await registry.notify(agentId, notification)));
    expect((await notified).value).toMatchObject({ type: 'NOTIFIED', notification });
    const ill = watch.next();
    await clock.advance(TIMING.heartbeatTimeoutMs + 1);
    await sweepAgents({ store, timing: TIMING, sinceMs: 0, clock });
    expect((await ill).value).toMatchObject({ type: 'STATUS_CHANGED', agent: { agentId, status: 'UNHEALTHY' } });
    stopping.abort();
    await watch.return();
  });
});

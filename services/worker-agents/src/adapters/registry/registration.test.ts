import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import {
  AgentStatus,
  type HeartbeatRequest,
  type RegisterRequest,
  ServiceRegistryService,
} from '@neural-hive/contracts/proto/service-registry';
import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { workerMetrics } from '../../engine/worker-metrics.ts';
import { Registration } from './registration.ts';

/** A registry that remembers what it is told, on a port that survives its restart. */
class RememberingRegistry {
  readonly registered: RegisterRequest[] = [];
  readonly heartbeats: HeartbeatRequest[] = [];
  readonly deregistered: string[] = [];
  readonly known = new Set<string>();
  port = 0;
  #server: Server | undefined;

  async start(): Promise<void> {
    const server = new Server();
    server.addService(ServiceRegistryService, {
      register: (call: { request: RegisterRequest }, done: (error: null, value: object) => void) => {
        this.registered.push(call.request);
        const agentId = `agent-${this.registered.length}`;
        this.known.add(agentId);
        done(null, { agentId, registeredAt: Date.now() });
      },
      heartbeat: (call: { request: HeartbeatRequest }, done: (error: object | null, value?: object) => void) => {
        if (!this.known.has(call.request.agentId)) return done({ code: status.NOT_FOUND, details: 'unknown' });
        this.heartbeats.push(call.request);
        done(null, { status: AgentStatus.HEALTHY, lastSeen: Date.now() });
      },
      deregister: (call: { request: { agentId: string } }, done: (error: null, value: object) => void) => {
        this.deregistered.push(call.request.agentId);
        done(null, { success: true });
      },
    } as never);
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.#server = server;
  }

  stop(): void {
    this.#server?.forceShutdown();
  }
}

const registries: RememberingRegistry[] = [];
const registrations: Registration[] = [];

afterEach(async () => {
  await Promise.all(registrations.splice(0).map((registration) => registration.close()));
  for (const registry of registries.splice(0)) registry.stop();
});

async function registry(): Promise<RememberingRegistry> {
  const started = new RememberingRegistry();
  await started.start();
  registries.push(started);
  return started;
}

let executions = 0;

function register({ port }: RememberingRegistry): Registration {
  const registration = new Registration({
    address: `127.0.0.1:${port}`,
    credentials: credentials.createInsecure(),
    interceptors: [],
    instanceId: 'worker-1',
    types: ['BUILD', 'QUERY'],
    capabilities: ['gpu'],
    namespace: 'neural-hive-execution',
    cluster: 'local',
    version: '0.1.0',
    metadata: { agent_id: 'worker-1' },
    heartbeatMs: 50,
    telemetry: () => ({
      totalExecutions: executions,
      failedExecutions: 1,
      successRate: 0.5,
      avgDurationMs: 12,
      lastExecutionAtMs: 1_700_000_000_000,
      active: 1,
      capacity: 5,
    }),
    metrics: workerMetrics(new Registry()),
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
  registrations.push(registration);
  return registration;
}

test('the worker tells what it can do, and then how it does, as it is', async () => {
  const server = await registry();
  const registration = register(server);
  expect(await registration.registeredWithin(5_000)).toBe(true);
  expect(registration.agentId).toBe('agent-1');
  expect(server.registered[0]).toMatchObject({ instanceId: 'worker-1', capabilities: ['BUILD', 'QUERY', 'gpu'] });
  executions = 7;
  await expect.poll(() => server.heartbeats.at(-1)?.telemetry?.totalExecutions).toBe(7);
  expect(server.heartbeats.at(-1)?.telemetry).toMatchObject({ lastExecutionAt: 1_700_000_000_000, capacity: 5 });
});

test('a registry that has forgotten the worker is told anew at once', async () => {
  const server = await registry();
  const registration = register(server);
  await registration.registeredWithin(5_000);
  server.known.clear();
  await expect.poll(() => registration.agentId).toBe('agent-2');
  expect(server.registered[1]?.instanceId).toBe('worker-1');
});

test('a registry that was away is found again', async () => {
  const server = await registry();
  const registration = register(server);
  await registration.registeredWithin(5_000);
  server.stop();
  server.known.clear();
  await server.start();
  await expect.poll(() => registration.agentId, { timeout: 15_000 }).toBe('agent-2');
});

test('a worker that starts before its registry goes on trying', async () => {
  const server = await registry();
  server.stop();
  const registration = register(server);
  expect(await registration.registeredWithin(50)).toBe(false);
  await server.start();
  expect(await registration.registeredWithin(15_000)).toBe(true);
});

test('a worker that ends is taken out', async () => {
  const server = await registry();
  const registration = register(server);
  await registration.registeredWithin(5_000);
  await registration.close();
  expect(server.deregistered).toEqual(['agent-1']);
  expect(registration.agentId).toBeUndefined();
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { spiffeAgent } from '@neural-hive/security/http';
import { matchId, X509Source } from '@neural-hive/security/spiffe';
import { createLogger, createServiceMetrics, type OpenService } from '@neural-hive/service-runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrchestrator } from './composition.ts';
import { orchestratorConfig } from './config.ts';
import { EmbeddedPlatform } from './testing/embedded-platform.ts';
import { planOf } from './testing/plans.ts';
import { TestWorker } from './testing/test-worker.ts';

let platform: EmbeddedPlatform;
let orchestrator: OpenService;
let operator: X509Source;
let dispatcher: ReturnType<typeof spiffeAgent>;
const metrics = createServiceMetrics();

beforeAll(async () => {
  platform = await EmbeddedPlatform.open();
  // Nobody runs a registry here: a plan is admitted with a warning once the window is over.
  const config = orchestratorConfig({
    ...platform.environment,
    SERVICE_REGISTRY_PORT: '1',
    ADMISSION_WINDOW_SECONDS: '0.1',
  });
  orchestrator = await openOrchestrator(config, {
    log: createLogger({ name: 'orchestrator-dynamic', level: 'silent' }),
    metrics,
    signal: new AbortController().signal,
  });
  operator = await X509Source.open({ endpoint: platform.operatorEndpoint });
  dispatcher = spiffeAgent({ identity: operator, authorize: matchId(SPIFFE_IDS.orchestrator) });
});

afterAll(async () => {
  await dispatcher?.destroy();
  await operator?.close();
  await orchestrator?.close();
  await platform?.close();
});

async function call(port: unknown, method: 'GET' | 'POST', path: string, body?: unknown) {
  const response = await dispatcher.request({
    origin: `https://127.0.0.1:${port}`,
    method,
    path,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.body.text();
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  return { status: response.statusCode, body: JSON.parse(text) as any };
}

/** Submits a chain of tasks and waits until it has ended. */
async function runPlan(planId: string, length: number): Promise<string> {
  const { port } = orchestrator.ready;
  const tasks = Array.from({ length }, (_, index) => ({
    id: `t${index}`,
    needs: index === 0 ? [] : [`t${index - 1}`],
  }));
  expect((await call(port, 'POST', '/api/v1/plans', planOf(tasks, { plan_id: planId }))).status).toBe(201);
  const response = await dispatcher.request({
    origin: `https://127.0.0.1:${port}`,
    method: 'GET',
    path: `/api/v1/plans/${planId}/events`,
  });
  await response.body.text();
  return (await call(port, 'GET', `/api/v1/plans/${planId}`)).body.status;
}

describe('the orchestrator on leased credentials', () => {
  test('item 32: runs a plan for the operator while every credential is rotated, and nobody notices', async () => {
    const { managementPort } = orchestrator.ready;
    const login = await platform.leaseWorkerLogin();
    const worker = await TestWorker.open(platform.connectionOf(login.value));
    try {
      expect(await runPlan('before', 3)).toBe('COMPLETED');
      await call(managementPort, 'POST', '/v1/credentials/load', { action: 'start' });
      const plan = runPlan('during', 40);
      await platform.renewAnnouncementUser('announce_second');
      const rotated = await call(managementPort, 'POST', '/v1/credentials/rotate', { all: true, times: 1 });
      expect(rotated.status).toBe(200);
      for (const rotation of rotated.body.rotations) expect(rotation).toMatchObject({ ok: true, failed: 0 });
      expect(await plan).toBe('COMPLETED');
      await call(managementPort, 'POST', '/v1/credentials/load', { action: 'stop' });
      const { body } = await call(managementPort, 'GET', '/v1/report');
      expect(body.totals).toMatchObject({ failedOperations: 0, sessionsTerminated: 0, unsuccessful: 0 });
      const names = body.credentials.map(({ kind }: { kind: string }) => kind).sort();
      expect(names).toEqual(['database', 'kv', 'vault-token', 'x509-svid']);
    } finally {
      await worker.close();
      await login.revoke();
    }
  });

  test('tells probes and scrapers how it is', async () => {
    const { metricsPort } = orchestrator.ready;
    const ready = await fetch(`http://127.0.0.1:${metricsPort}/ready`);
    expect([ready.status, await ready.json()]).toMatchObject([200, { ok: true, security: 'healthy' }]);
    const health = await fetch(`http://127.0.0.1:${metricsPort}/health`);
    expect([health.status, await health.json()]).toMatchObject([
      200,
      {
        state: 'healthy',
        reasons: [],
        breaker: 'closed',
        leases: { active: 1 },
        svids: { x509: 'healthy', jwt: 'healthy' },
      },
    ]);
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(text).toContain('orchestrator_vault_renewal_task_runs_total');
    expect(text).toContain('orchestration_workflows_completed_total{status="COMPLETED"} 2');
    expect(text).toContain('orchestration_workflows_active 0');
    expect(text).toMatch(/grpc_auth_attempts_total\{method="SubmitPlan",status="allowed"\} 2/);
    expect(text).toMatch(/^spiffe_svid_ttl_seconds\{svid_type="x509"\} \d/m);
    expect(text).toMatch(/^vault_token_ttl_seconds \d/m);
    expect(text).toContain('vault_breaker_state{state="closed"} 1');
    expect(text).toMatch(/^credential_ttl_seconds\{credential="database\/[^"]+"\} \d/m);
  });

  test('leaves no login behind when it closes', async () => {
    const logins = () =>
      platform.asSuperuser(async (client) => {
        const { rows } = await client.query<{ rolname: string }>(
          "select rolname from pg_roles r where rolcanlogin and pg_has_role(r.oid, 'orchestrator_rw', 'member') and not rolsuper",
        );
        return rows.map(({ rolname }) => rolname);
      });
    expect(await logins()).toHaveLength(1);
    await orchestrator.close();
    expect(await logins()).toEqual([]);
  });
});

describe('an orchestrator that was told to fail open, with Vault away', () => {
  let gate: Server;
  let letIn: boolean;

  beforeAll(async () => {
    gate = createServer((socket) => {
      socket.on('error', () => undefined);
      if (!letIn) return void socket.destroy();
      const { hostname, port } = new URL(platform.authority.address);
      const onward = connect(Number(port), hostname).on('error', () => socket.destroy());
      socket.pipe(onward).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(gate, 'listening');
  });
  beforeEach(() => {
    letIn = false;
  });
  afterAll(() => gate?.close());

  const open = (env: Record<string, string>, counted = createServiceMetrics()) =>
    openOrchestrator(
      orchestratorConfig({
        ...platform.environment,
        VAULT_ADDRESS: `https://127.0.0.1:${(gate.address() as AddressInfo).port}`,
        SERVICE_REGISTRY_PORT: '1',
        ...env,
      }),
      {
        log: createLogger({ name: 'orchestrator-dynamic', level: 'silent' }),
        metrics: counted,
        signal: new AbortController().signal,
      },
    );

  test('says so to its probes, and starts once Vault is there', async () => {
    // An address of this test alone, so that the port is known before it listens.
    const METRICS_HOST = `127.${100 + (process.pid % 100)}.${(process.pid >> 8) % 250}.7`;
    const probe = async (path: string) => {
      const response = await fetch(`http://${METRICS_HOST}:9090${path}`).catch(() => undefined);
      return response === undefined ? undefined : [response.status, await response.json()];
    };
    const opening = open({ VAULT_FAIL_OPEN: 'true', METRICS_HOST, METRICS_PORT: '9090' });
    const reasons = ['vault: it cannot be used'];
    await expect
      .poll(() => probe('/health'), { timeout: 20_000 })
      .toMatchObject([200, { ok: true, failOpen: true, state: 'unhealthy', reasons }]);
    expect(await probe('/ready')).toEqual([503, { ok: false, starting: true }]);
    letIn = true;
    const opened = await opening;
    expect(await probe('/ready')).toMatchObject([200, { ok: true, security: 'healthy' }]);
    await opened.close();
  }, 60_000);
});

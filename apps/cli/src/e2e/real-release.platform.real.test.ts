import { afterAll, expect, test, vi } from 'vitest';
import type { JobReport } from '../job/report.ts';
import { AS_ROOT, freePortBase, runHive, scratchFolder } from './hive-process.ts';
import { realEnvironment } from './real-servers.ts';

vi.setConfig({ testTimeout: 900_000, hookTimeout: 300_000 });

const scratch = scratchFolder();
afterAll(() => scratch.remove());

/** What each engine has in place of the other. */
const ENGINES = [
  {
    engine: 'temporal',
    adapters: { workflow: /^Temporal \d/, tickets: /^Kafka \d/, plans: /^FerretDB \d/ },
    logins: ['orchestrator-dynamic/secret/orchestrator/mongodb', 'worker-agents/secret/worker/kafka'],
  },
  {
    engine: 'postgres',
    adapters: { workflow: /PostgreSQL/, tickets: /PostgreSQL/, plans: /PostgreSQL/ },
    logins: ['worker-agents/database/worker-tickets'],
  },
];

async function releaseOnRealServers({ engine, adapters, logins }: (typeof ENGINES)[number]): Promise<void> {
  const args = ['up', '--profile', 'real', '--once', '--json', '--home', scratch.path];
  const env = { ...realEnvironment(), HIVE_PORT_BASE: String(await freePortBase()), ORCHESTRATOR_ENGINE: engine };
  const { code, stdout, stderr } = await runHive(args, { env });
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout) as JobReport;
  expect(report.plan.status).toBe('COMPLETED');
  expect(report.tickets.map(({ type, status }) => `${type} ${status}`)).toEqual([
    'BUILD COMPLETED',
    'TEST COMPLETED',
    'QUERY COMPLETED',
    'DEPLOY COMPLETED',
  ]);
  expect(report.adapters).toMatchObject({
    secrets: expect.stringMatching(/^OpenBao \d/),
    login: expect.stringMatching(/Kubernetes \d/),
    identity: expect.stringMatching(/^SPIRE \d/),
    registry: expect.stringMatching(/^Redis \d/),
    database: expect.stringMatching(/^PostgreSQL \d/),
    workflow: expect.stringMatching(adapters.workflow),
    tickets: expect.stringMatching(adapters.tickets),
    plans: expect.stringMatching(adapters.plans),
  });
  const generations = new Map(report.credentials.map(({ name, generation }) => [name, generation]));
  for (const name of [
    'orchestrator-dynamic/database/temporal-orchestrator',
    'orchestrator-dynamic/vault-token',
    'orchestrator-dynamic/x509-svid',
    'worker-agents/vault-token',
    'worker-agents/x509-svid',
    'service-registry/database/registry-redis',
    'service-registry/vault-token',
    'service-registry/x509-svid',
    ...logins,
  ]) {
    expect(generations.get(name), name).toBeGreaterThanOrEqual(3);
  }
  expect(report.rotations).toMatchObject({ failedOperations: 0 });
  expect(report.rotations.forced).toBeGreaterThanOrEqual(22);
  expect(report.authentication.denied).toBe(2);
  expect(report.leftovers).toEqual({ roles: 0, sessions: 0, leases: 0, users: 0, processes: 0 });
}

if (AS_ROOT) {
  test.each(ENGINES)(
    'on real servers, with $engine for plans, the release ends as on the embedded ones, every credential is rotated and nothing is left',
    releaseOnRealServers,
  );
} else {
  test('without root one line says that SPIRE could not tell the services apart', async () => {
    const { code, stderr } = await runHive(['up', '--profile', 'real', '--home', scratch.path]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('needs root') });
  });
}

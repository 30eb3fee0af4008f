import { setTimeout as delay } from 'node:timers/promises';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { ManagementClient } from '../client/management-client.ts';
import { operatorIdentity } from '../client/operator.ts';
import { OrchestratorClient } from '../client/orchestrator-client.ts';
import { findPlatform } from '../client/platform-state.ts';
import { SpiffeHttpClient } from '../client/spiffe-http.ts';
import { servicePid, within } from './hive-process.ts';
import { build, deploy, planOf } from './plans.ts';

// A rotation is judged by as many operations as it takes, which a busy machine is slow to make.
vi.setConfig({ testTimeout: 300_000 });

const { home: data, supervisor } = inject('platform');
const platform = findPlatform(data);
const SERVICES = [
  { name: 'orchestrator-dynamic', spiffeId: SPIFFE_IDS.orchestrator, port: platform.orchestrator.management },
  { name: 'worker-agents', spiffeId: SPIFFE_IDS.worker, port: platform.worker.management },
];
let identity: Awaited<ReturnType<typeof operatorIdentity>>;
let orchestrator: OrchestratorClient;
let services: readonly ManagementClient[];

beforeAll(async () => {
  identity = await operatorIdentity(platform.operatorSocket);
  orchestrator = new OrchestratorClient({ identity, port: platform.orchestrator.port });
  services = SERVICES.map(({ name, ...where }) => new ManagementClient({ identity, service: name, ...where }));
  for (const service of services) await service.load('start');
});

afterAll(async () => {
  for (const service of services ?? []) await service.load('stop');
  await Promise.all([orchestrator?.close(), ...(services ?? []).map((service) => service.close())]);
  await identity?.close();
});

/** Runs a plan to its end. Answers with its status and with what failed in it. */
async function runPlan(): Promise<{ status: string; errors: unknown[] }> {
  // Needs no login of its own, which only the authority could make: what the services hold has to be enough.
  const plan = planOf([build('release-app'), deploy('authority-away')]);
  await orchestrator.submit(plan);
  for await (const line of orchestrator.progress(plan.plan_id)) if (line.type === 'plan' && line.final) break;
  const { status, tickets } = await orchestrator.show(plan.plan_id);
  return { status, errors: tickets.flatMap(({ error }) => (error === null ? [] : [error])) };
}
const COMPLETED = { status: 'COMPLETED', errors: [] };

const loadReport = z.object({
  load: z.object({
    credentials: z.array(z.object({ name: z.string(), operations: z.int(), failed: z.int(), retried: z.int() })),
  }),
});

/**
 * Operations of the load so far, and those that failed. A look at one's own Vault token is left out: nobody but the
 * authority can answer it, so there is no valid credential to go on with.
 */
async function loadSoFar(): Promise<{ operations: number; failed: Record<string, number> }> {
  const found = { operations: 0, failed: {} as Record<string, number> };
  for (const service of SERVICES) {
    const http = new SpiffeHttpClient({ identity, what: service.name, spiffeId: service.spiffeId, port: service.port });
    try {
      const { load } = await http.json('GET', '/v1/report', loadReport);
      for (const { name, operations, failed } of load.credentials) {
        if (/vault/.test(name)) continue;
        found.operations += operations;
        found.failed[`${service.name} ${name}`] = failed;
      }
    } finally {
      await http.close();
    }
  }
  return found;
}

/** Rotates every credential that the services rotate themselves. */
async function rotateAll(): Promise<boolean[]> {
  const outcomes: boolean[] = [];
  for (const service of services) {
    for (const { name, kind } of await service.credentials()) {
      if (kind === 'database' || kind === 'vault-token') outcomes.push(await service.rotate(name).catch(() => false));
    }
  }
  return outcomes;
}

async function expectUndisturbed(away: () => Promise<void>): Promise<void> {
  const before = await loadSoFar();
  await away();
  const after = await loadSoFar();
  expect(after.failed).toEqual(before.failed);
  expect(after.operations).toBeGreaterThan(before.operations + 50);
}

test('with the authority there, plans complete and every login and token can be rotated', async () => {
  await expectUndisturbed(async () => {
    expect(await runPlan()).toEqual(COMPLETED);
    const outcomes = await rotateAll();
    expect(outcomes.length).toBeGreaterThanOrEqual(4);
    expect(outcomes).not.toContain(false);
  });
});

test('an authority that is killed is started again; nothing fails meanwhile, and rotation works afterwards', async () => {
  await expectUndisturbed(async () => {
    const killed = servicePid(supervisor, 'dev-authority');
    if (killed === undefined) throw new Error('no authority is running');
    process.kill(killed, 'SIGKILL');
    expect(await runPlan()).toEqual(COMPLETED);
    expect(await within(60_000, () => ![undefined, killed].includes(servicePid(supervisor, 'dev-authority')))).toBe(
      true,
    );
    expect(await within(120_000, async () => (await rotateAll()).every(Boolean))).toBe(true);
  });
});

test('an authority that is silent for 10 s around a rotation makes nothing fail', async () => {
  await expectUndisturbed(async () => {
    const silent = servicePid(supervisor, 'dev-authority');
    if (silent === undefined) throw new Error('no authority is running');
    const sinceMs = performance.now();
    process.kill(silent, 'SIGSTOP');
    try {
      const [login] = (await services[0]?.credentials())?.filter(({ kind }) => kind === 'database') ?? [];
      const rotating = services[0]?.rotate(login?.name ?? '').catch(() => false);
      expect(await runPlan()).toEqual(COMPLETED);
      await delay(10_000 - (performance.now() - sinceMs));
      process.kill(silent, 'SIGCONT');
      await rotating;
    } finally {
      process.kill(silent, 'SIGCONT');
    }
    expect(await within(120_000, async () => (await rotateAll()).every(Boolean))).toBe(true);
    expect(await runPlan()).toEqual(COMPLETED);
  });
});

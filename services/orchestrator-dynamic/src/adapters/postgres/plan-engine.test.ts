import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decide, type PlanState } from '../../domain/index.ts';
import { ABLE, type Execute, ended, OPERATOR, QUICK, RELEASE, statuses } from '../../testing/plan-engine-contract.ts';
import { planOf } from '../../testing/plans.ts';
import { startTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { TestWorker, type TestWorkerOptions } from '../../testing/test-worker.ts';
import { PostgresPlanEngine, type PostgresPlanEngineOptions } from './plan-engine.ts';
import { PlanStore } from './plan-store.ts';
import type { Checkpoint } from './plan-transaction.ts';

const policy = { ...QUICK, compensationRetries: 5 };

let database: TestDatabase;
let pool: pg.Pool;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  database = await startTestDatabase();
  pool = new pg.Pool({ ...database.orchestrator, max: 10 });
  pool.on('error', () => undefined);
});

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

afterAll(async () => {
  await pool?.end();
  await database?.stop();
});

async function engineOf(options: Partial<PostgresPlanEngineOptions> = {}, listen = true): Promise<PostgresPlanEngine> {
  const engine = await PostgresPlanEngine.open({ pool, admission: ABLE, policy, ...options });
  open.push(engine);
  if (!listen) return engine;
  const listener = new pg.Client(database.orchestrator);
  await listener.connect();
  listener.on('notification', ({ payload }) => engine.wake(payload ?? ''));
  await listener.query('listen tickets_results');
  open.push({ close: () => listener.end() });
  return engine;
}

async function workerOf(execute?: Execute, options?: TestWorkerOptions): Promise<TestWorker> {
  const worker = await TestWorker.open(database.worker, execute, options);
  open.push(worker);
  return worker;
}

describe('an engine that dies', () => {
  const DEATHS = ['decided', 'carried-out', 'saved', 'committed'] as const;

  /** Opens one engine after another; each dies at its first event, at the next place where one can. */
  async function runThroughDeaths(planId: string, engines: { died: number }): Promise<PlanState> {
    for (;;) {
      const deadly = DEATHS[engines.died % DEATHS.length];
      let died = (): void => undefined;
      const death = new Promise<void>((resolve) => {
        died = resolve;
      });
      let dead = false;
      const checkpoint: Checkpoint = (name) => {
        if (!dead && name !== deadly) return;
        dead = true;
        died();
        throw new Error('killed');
      };
      const engine = await PostgresPlanEngine.open({ pool, admission: ABLE, policy, pollMs: 5, checkpoint });
      const looking = new AbortController();
      const state = await Promise.race([ended(engine, planId, looking.signal), death]);
      looking.abort();
      await engine.close();
      if (state !== undefined) return state;
      engines.died += 1;
    }
  }

  test('is followed by one that goes on, after every event and at every place within it', async () => {
    const first = await PostgresPlanEngine.open({ pool, admission: ABLE, policy, pollMs: 60_000 });
    const tasks = [...RELEASE, { id: 'check', needs: ['deploy'] }];
    await first.submit(planOf(tasks, { plan_id: 'survives', requires_approval: true }), OPERATOR);
    await first.wish('survives', { action: 'approve', by: OPERATOR, text: null });
    await first.close();
    const worker = await workerOf(async ({ ticket }) =>
      ticket.task_id === 'check' && ticket.task_type === 'EXECUTE' ? { errorClass: 'timeout' } : undefined,
    );
    const engines = { died: 0 };
    const state = await runThroughDeaths('survives', engines);
    expect(statuses(state)).toMatchObject({ build: 'COMPENSATED', deploy: 'COMPENSATED', check: 'FAILED' });
    expect(engines.died).toBeGreaterThan(30);
    // Each ticket was attempted once, the failing one twice.
    const attempts = worker.attempts.filter(({ ticket }) => ticket.plan_id === 'survives');
    expect(attempts).toHaveLength(4 + 2 + 2);
    const replayed = (await new PlanStore().events(pool, 'survives')).reduce<PlanState | undefined>(
      (before, event) => decide(before, event).state,
      undefined,
    );
    expect(replayed).toEqual(state);
  }, 120_000);
});

test('two engines at once apply every event once', async () => {
  const [one] = await Promise.all([engineOf(), engineOf()]);
  const worker = await workerOf();
  const tasks = Array.from({ length: 30 }, (_, index) => ({ id: `t${index}` }));
  await one.submit(planOf(tasks, { plan_id: 'twice' }), OPERATOR);
  expect((await ended(one, 'twice')).status).toBe('COMPLETED');
  expect(worker.attempts.filter(({ ticket }) => ticket.plan_id === 'twice')).toHaveLength(30);
  const { rows } = await pool.query(
    "select count(*)::int as events, count(distinct seq)::int as seqs from orchestrator.event where plan_id = 'twice'",
  );
  expect(rows).toEqual([{ events: 62, seqs: 62 }]);
});

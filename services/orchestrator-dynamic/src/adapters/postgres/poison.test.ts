import { systemClock } from '@neural-hive/security/common';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkDecision, checkPlan, DEFAULT_POLICY, isFinal, type PlanState } from '../../domain/index.ts';
import { decisionOf, planOf } from '../../testing/plans.ts';
import { startTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { TestWorker } from '../../testing/test-worker.ts';
import { PostgresPlanEngine } from './plan-engine.ts';

const OPERATOR = 'spiffe://neural-hive.local/operator';
const LIMIT = { timeout: 20_000 };

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

async function engineOf(options: Partial<Parameters<typeof PostgresPlanEngine.open>[0]> = {}) {
  const engine = await PostgresPlanEngine.open({
    pool,
    admission: { check: async () => ({ kind: 'able', warning: null }) },
    policy: { ...DEFAULT_POLICY, retryBaseMs: 10, retryCapMs: 20 },
    pollMs: 20,
    ...options,
  });
  open.push(engine);
  return engine;
}

async function ended(engine: PostgresPlanEngine, planId: string): Promise<PlanState> {
  await expect.poll(async () => isFinal((await engine.find(planId))?.status ?? 'RUNNING'), LIMIT).toBe(true);
  const state = await engine.find(planId);
  if (state === undefined) throw new Error(`there is no plan ${planId}`);
  return state;
}

/** A result as a worker publishes it, with what is wrong with it laid over. */
const resultOf = (ticketId: string, planId: string, fencingToken: number, wrong: object): object => ({
  ticket_id: ticketId,
  plan_id: planId,
  fencing_token: fencingToken,
  status: 'COMPLETED',
  result: { success: true, output: {} },
  actual_duration_ms: 1,
  agent_id: 'w',
  spiffe_id: 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/worker-agents',
  timestamp: 1,
  schema_version: 1,
  ...wrong,
});

describe('a result', () => {
  /** Publishes a result for the one ticket of a plan, and answers how the plan ended. */
  async function endWith(planId: string, wrong: object): Promise<PlanState> {
    const engine = await engineOf();
    await engine.submit(planOf([{ id: 'v', type: 'VALIDATE' }], { plan_id: planId }), OPERATOR);
    const worker = new pg.Client(database.worker);
    await worker.connect();
    open.push({ close: () => worker.end() });
    const claim = async (): Promise<{ ticket_id: string; fencing_token: string } | undefined> =>
      (await worker.query("select * from tickets.claim(array['VALIDATE'], 'w', 1)")).rows[0];
    const published = async (): Promise<number> =>
      (await pool.query('select from tickets.ticket where plan_id = $1', [planId])).rowCount ?? 0;
    await expect.poll(published, LIMIT).toBe(1);
    const { ticket_id: ticketId = '', fencing_token: token = '' } = (await claim()) ?? {};
    const result = resultOf(ticketId, planId, Number(token), wrong);
    await worker.query('select tickets.finish($1, $2, $3)', [ticketId, token, JSON.stringify(result)]);
    return ended(engine, planId);
  }

  test('as agreed completes its ticket', async () => {
    expect((await endWith('good', {})).status).toBe('COMPLETED');
  });

  test.each([
    ['of an unknown schema version', { schema_version: 2 }],
    ['with wrong types', { status: 7, result: 'done', timestamp: 'now' }],
    ['with a field that nobody knows', { exit_code: 0 }],
    ['of 2 MiB', { result: { success: true, output: { text: 'x'.repeat(2 * 1024 * 1024) } } }],
  ])('%s fails its ticket with what is wrong, and is not asked for again', async (what, wrong) => {
    const state = await endWith(`poison-${what.replaceAll(/\W/g, '-')}`, wrong);
    expect(state.status).toBe('FAILED');
    expect(state.failure?.message).toContain('no valid result');
    expect([...state.tickets.values()].map(({ retryCount }) => retryCount)).toEqual([0]);
  });
});

describe('a plan and a decision', () => {
  const plan = planOf([{ id: 'a' }]);
  const pathsOf = (checked: ReturnType<typeof checkPlan> | ReturnType<typeof checkDecision>): readonly string[] =>
    checked.ok ? [] : checked.problems.map(({ path }) => path);

  test('as agreed are taken', () => {
    expect(pathsOf(checkPlan(plan, 5_000))).toEqual([]);
    expect(pathsOf(checkDecision(decisionOf(plan), 5_000))).toEqual([]);
  });

  test('of an unknown schema version are refused with its place', () => {
    expect(pathsOf(checkPlan({ ...plan, schema_version: 2 }, 5_000))).toEqual(['$.schema_version']);
    expect(pathsOf(checkDecision({ ...decisionOf(plan), schema_version: 2 }, 5_000))).toEqual(['$.schema_version']);
  });

  test('with wrong types are refused with every place', () => {
    const wrong = { ...plan, risk_score: 'low', tasks: [{ ...plan.tasks[0], dependencies: 'none' }] };
    expect(pathsOf(checkPlan(wrong, 5_000))).toEqual(
      expect.arrayContaining(['$.risk_score', '$.tasks[0].dependencies']),
    );
  });
});

describe('a clock', () => {
  // Claims and results are stamped by the clock of the database, which is this machine's.
  test.each([
    ['ten minutes ahead of', 600_000],
    ['ten minutes behind', -600_000],
  ])('of the orchestrator %s that of the others costs no ticket, no retry and no deadline', async (name, skewMs) => {
    const clock = { ...cloneOf(systemClock), now: () => systemClock.now() + skewMs };
    const engine = await engineOf({ clock });
    const planId = `skew-${name.replaceAll(' ', '-')}`;
    let failures = 0;
    open.push(
      await TestWorker.open(database.worker, async ({ ticket }) => {
        if (ticket.task_id !== 'b' || failures > 0) return undefined;
        failures += 1;
        return { errorClass: 'backend' };
      }),
    );
    await engine.submit(planOf([{ id: 'a' }, { id: 'b', needs: ['a'] }], { plan_id: planId }), OPERATOR);
    const state = await ended(engine, planId);
    expect(state.status).toBe('COMPLETED');
    expect([...state.tickets.values()].map(({ retryCount }) => retryCount)).toEqual([0, 1]);
  });
});

function cloneOf(clock: typeof systemClock) {
  return {
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (...args: Parameters<typeof clock.setTimer>) => clock.setTimer(...args),
  };
}

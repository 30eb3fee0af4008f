import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, decide, isFinal, type PlanState, viewPlan } from '../../domain/index.ts';
import type { Admission } from '../../ports/admission.ts';
import { planOf, type TaskDraft } from '../../testing/plans.ts';
import { startTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { type Execute, TestWorker, type TestWorkerOptions } from '../../testing/test-worker.ts';
import { PostgresPlanEngine, type PostgresPlanEngineOptions } from './plan-engine.ts';
import { PlanStore } from './plan-store.ts';
import type { Checkpoint } from './plan-transaction.ts';

const OPERATOR = 'spiffe://neural-hive.local/operator';
const ABLE: Admission = { check: async () => ({ kind: 'able', warning: null }) };
const policy = { ...DEFAULT_POLICY, retryBaseMs: 20, retryCapMs: 40 };

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

/** Resolves with the state of a plan once `wanted` holds for it; `signal` ends the looking. */
function reached(
  engine: PostgresPlanEngine,
  planId: string,
  wanted: (state: PlanState) => boolean,
  signal?: AbortSignal,
): Promise<PlanState> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      engine.find(planId).then((state) => {
        if (state === undefined || !wanted(state)) return;
        stop();
        resolve(state);
      }, reject);
    };
    const unsubscribe = engine.onChange(planId, look);
    // Another engine's changes are not announced to this one.
    const timer = setInterval(look, 50);
    const stop = (): void => {
      unsubscribe();
      clearInterval(timer);
    };
    signal?.addEventListener('abort', stop, { once: true });
    look();
  });
}

const ended = (engine: PostgresPlanEngine, planId: string, signal?: AbortSignal) =>
  reached(engine, planId, ({ status }) => isFinal(status), signal);

const RELEASE: readonly TaskDraft[] = [
  { id: 'build', type: 'BUILD' },
  { id: 'test', type: 'TEST', needs: ['build'] },
  { id: 'query', type: 'QUERY' },
  { id: 'deploy', type: 'DEPLOY', needs: ['test', 'query'] },
];

function statuses(state: PlanState): Record<string, string> {
  return Object.fromEntries(
    [...state.tickets.values()].map((ticket) => [
      ticket.compensates === null ? ticket.taskId : `undo ${ticket.taskId}`,
      ticket.status,
    ]),
  );
}

describe('a plan on the embedded engine', () => {
  test('runs to its end, in order, and tells its progress', async () => {
    const engine = await engineOf();
    const worker = await workerOf();
    await engine.submit(planOf(RELEASE, { plan_id: 'runs' }), OPERATOR);
    const state = await ended(engine, 'runs');
    expect(state.status).toBe('COMPLETED');
    const order = worker.attempts.map(({ ticket }) => ticket.task_id);
    expect(order.indexOf('test')).toBeGreaterThan(order.indexOf('build'));
    expect(order.at(-1)).toBe('deploy');
    const lines = (await engine.progressAfter('runs', 0)).map(({ line }) =>
      line.type === 'plan' ? line.status : `${line.taskId} ${line.step}`,
    );
    expect(lines[0]).toBe('ADMITTING');
    expect(lines.filter((line) => line.startsWith('build'))).toEqual([
      'build published',
      'build claimed',
      'build ended',
    ]);
    expect(lines.at(-1)).toBe('COMPLETED');
    expect(viewPlan(state).tickets.find(({ taskId }) => taskId === 'build')).toMatchObject({
      status: 'COMPLETED',
      worker: 'test-worker',
      durationMs: expect.any(Number),
      output: { made_by: 'build' },
    });
  });

  test('a plan may have any id that is allowed, also one that means something to an event emitter', async () => {
    const engine = await engineOf();
    await workerOf();
    for (const planId of ['error', 'newListener', 'constructor']) {
      await engine.submit(planOf([{ id: 'only' }], { plan_id: planId }), OPERATOR);
      await expect.poll(async () => (await engine.find(planId))?.status).toBe('COMPLETED');
    }
  });

  test('waits for approval, publishes nothing before, and keeps who approved', async () => {
    const engine = await engineOf();
    const worker = await workerOf();
    const plan = planOf([{ id: 'a' }], { plan_id: 'approved', requires_approval: true });
    const { kind } = await engine.submit(plan, OPERATOR);
    expect(kind).toBe('accepted');
    expect((await engine.find('approved'))?.status).toBe('AWAITING_APPROVAL');
    const { rows } = await pool.query("select from tickets.ticket where plan_id = 'approved'");
    expect(rows).toEqual([]);
    const wish = { action: 'approve' as const, by: OPERATOR, text: 'reviewed' };
    expect(await engine.wish('approved', wish)).toMatchObject({ kind: 'done' });
    expect(await engine.wish('approved', wish)).toMatchObject({ kind: 'refused' });
    const state = await ended(engine, 'approved');
    expect(state).toMatchObject({ status: 'COMPLETED', approval: { verdict: 'approved', by: OPERATOR } });
    expect(worker.attempts).toHaveLength(1);
    const trail = await pool.query(
      "select action, spiffe_id, detail->>'text' as text from orchestrator.audit where plan_id = 'approved' order by 1",
    );
    expect(trail.rows).toEqual([
      { action: 'approve', spiffe_id: OPERATOR, text: 'reviewed' },
      { action: 'submit', spiffe_id: OPERATOR, text: null },
    ]);
  });

  test('retries what is worth it, then compensates in reverse order', async () => {
    const engine = await engineOf();
    const worker = await workerOf(async ({ ticket }) =>
      ticket.task_id === 'check' && ticket.task_type !== 'COMPENSATE' ? { errorClass: 'backend' } : undefined,
    );
    const tasks = [...RELEASE, { id: 'check', needs: ['deploy'] }, { id: 'after', needs: ['check'] }];
    await engine.submit(planOf(tasks, { plan_id: 'undone' }), OPERATOR);
    const state = await ended(engine, 'undone');
    expect(state.status).toBe('FAILED');
    expect(statuses(state)).toEqual({
      build: 'COMPENSATED',
      test: 'COMPLETED',
      query: 'COMPLETED',
      deploy: 'COMPENSATED',
      check: 'FAILED',
      after: 'CANCELLED',
      'undo deploy': 'COMPLETED',
      'undo build': 'COMPLETED',
    });
    const tried = worker.attempts.map(({ ticket }) => `${ticket.task_type} ${ticket.task_id}`);
    expect(tried.slice(-4)).toEqual(['EXECUTE check', 'EXECUTE check', 'COMPENSATE deploy', 'COMPENSATE build']);
    const undo = worker.attempts.find(({ ticket }) => ticket.task_type === 'COMPENSATE')?.ticket;
    expect(undo?.compensates).toMatchObject({ task_type: 'DEPLOY', output: { made_by: 'deploy' } });
  });

  test('the same plan again is a no-op, another one with its id is a conflict', async () => {
    const engine = await engineOf();
    const plan = planOf([{ id: 'a' }], { plan_id: 'same', requires_approval: true });
    const both = await Promise.all([engine.submit(plan, OPERATOR), engine.submit(plan, OPERATOR)]);
    expect(both.map((each) => each.kind === 'accepted' && each.created).sort()).toEqual([false, true]);
    expect(await engine.submit({ ...plan, risk_score: 0.2 }, OPERATOR)).toEqual({ kind: 'conflict' });
    const { rows } = await pool.query("select from orchestrator.audit where plan_id = 'same'");
    expect(rows).toHaveLength(1);
  });

  test('fails early when nobody alive can do it', async () => {
    const nobody: Admission = { check: async () => ({ kind: 'unable', reason: 'nobody does EXECUTE' }) };
    const engine = await engineOf({ admission: nobody });
    await engine.submit(planOf([{ id: 'a' }], { plan_id: 'unable' }), OPERATOR);
    const state = await ended(engine, 'unable');
    expect(state).toMatchObject({ status: 'FAILED', failure: { message: 'nobody does EXECUTE' } });
    expect((await pool.query("select from tickets.ticket where plan_id = 'unable'")).rowCount).toBe(0);
  });

  test('cancel stops what a worker holds: its heartbeat and result are refused', async () => {
    const engine = await engineOf();
    await workerOf(async () => 'die', { types: ['TEST'] });
    await engine.submit(planOf([{ id: 'a', type: 'TEST' }], { plan_id: 'cancelled' }), OPERATOR);
    const state = await reached(engine, 'cancelled', ({ tickets }) =>
      [...tickets.values()].some(({ status }) => status === 'RUNNING'),
    );
    const [held] = state.tickets.values();
    await engine.wish('cancelled', { action: 'cancel', by: OPERATOR, text: null });
    expect(await ended(engine, 'cancelled')).toMatchObject({ status: 'CANCELLED' });
    const { rows } = await pool.query('select state from tickets.ticket where ticket_id = $1', [held?.ticketId]);
    expect(rows).toEqual([{ state: 'cancelled' }]);
  });

  test('a paused plan gives no ticket to anybody until it is resumed', async () => {
    const engine = await engineOf();
    await engine.submit(planOf([{ id: 'a' }, { id: 'b', needs: ['a'] }], { plan_id: 'paused' }), OPERATOR);
    await reached(engine, 'paused', ({ status }) => status === 'RUNNING');
    await engine.wish('paused', { action: 'pause', by: OPERATOR, text: null });
    const worker = await workerOf();
    await engine.submit(planOf([{ id: 'a' }], { plan_id: 'beside' }), OPERATOR);
    expect((await ended(engine, 'beside')).status).toBe('COMPLETED');
    expect(worker.attempts.map(({ ticket }) => ticket.plan_id)).toEqual(['beside']);
    await engine.wish('paused', { action: 'resume', by: OPERATOR, text: null });
    expect((await ended(engine, 'paused')).status).toBe('COMPLETED');
    const { rows } = await pool.query(
      "select action, spiffe_id from orchestrator.audit where plan_id = 'paused' and action <> 'submit' order by audit_id",
    );
    expect(rows.map(({ action, spiffe_id }) => `${action} ${spiffe_id}`)).toEqual([
      `pause ${OPERATOR}`,
      `resume ${OPERATOR}`,
    ]);
    expect((await pool.query('select from tickets.pause')).rowCount).toBe(0);
  });

  test('a paused plan that is cancelled ends without anybody resuming it', async () => {
    const engine = await engineOf();
    await engine.submit(planOf([{ id: 'a' }], { plan_id: 'paused-cancelled' }), OPERATOR);
    await reached(engine, 'paused-cancelled', ({ status }) => status === 'RUNNING');
    await engine.wish('paused-cancelled', { action: 'pause', by: OPERATOR, text: null });
    await engine.wish('paused-cancelled', { action: 'cancel', by: OPERATOR, text: null });
    expect((await ended(engine, 'paused-cancelled')).status).toBe('CANCELLED');
    expect((await pool.query('select from tickets.pause')).rowCount).toBe(0);
  });

  test('a ticket that was taken a moment ago is known before it is called off', async () => {
    // No worker loop and no announcement: the claim lies in the inbox when the cancellation comes.
    const engine = await engineOf({ pollMs: 60_000 }, false);
    await engine.submit(planOf([{ id: 'd', type: 'DEPLOY' }], { plan_id: 'meanwhile' }), OPERATOR);
    await reached(engine, 'meanwhile', ({ status }) => status === 'RUNNING');
    const worker = new pg.Client(database.worker);
    await worker.connect();
    const claimed = await worker.query("select * from tickets.claim(array['DEPLOY'], 'w', 1)");
    await worker.end();
    expect(claimed.rowCount).toBe(1);
    expect(await engine.wish('meanwhile', { action: 'cancel', by: OPERATOR, text: null })).toMatchObject({
      kind: 'done',
      state: { status: 'STOPPING' },
    });
    expect(statuses((await engine.find('meanwhile')) ?? ({} as PlanState))).toEqual({ d: 'RUNNING' });
  });

  test('a worker that publishes nonsense fails its ticket', async () => {
    const engine = await engineOf();
    await engine.submit(planOf([{ id: 'v', type: 'VALIDATE' }], { plan_id: 'nonsense' }), OPERATOR);
    await reached(engine, 'nonsense', ({ status }) => status === 'RUNNING');
    const worker = new pg.Client(database.worker);
    await worker.connect();
    const { rows } = await worker.query("select * from tickets.claim(array['VALIDATE'], 'w', 1)");
    await worker.query("select tickets.finish($1, $2, '{}')", [rows[0].ticket_id, rows[0].fencing_token]);
    await worker.end();
    const state = await ended(engine, 'nonsense');
    expect(state.failure?.message).toContain('no valid result');
  });
});

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

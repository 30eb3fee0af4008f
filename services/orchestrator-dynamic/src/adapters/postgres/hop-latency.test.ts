import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DEFAULT_POLICY, isFinal } from '../../domain/index.ts';
import { planOf, type TaskDraft } from '../../testing/plans.ts';
import { startTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { TestWorker, type TestWorkerOptions } from '../../testing/test-worker.ts';
import { PostgresPlanEngine } from './plan-engine.ts';

let database: TestDatabase;
let pool: pg.Pool;
const open: { close(): Promise<void> }[] = [];

// As the platform's server: every commit waits for the disk.
beforeAll(async () => {
  database = await startTestDatabase({ durable: true });
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

/** Runs a chain of tasks that do nothing; resolves with the time of each hop, publication to publication, sorted. */
async function runChain(length: number, options: { listen: boolean } & TestWorkerOptions): Promise<number[]> {
  const engine = await PostgresPlanEngine.open({
    pool,
    admission: { check: async () => ({ kind: 'able', warning: null }) },
    policy: DEFAULT_POLICY,
  });
  open.push(engine);
  if (options.listen) {
    const listener = new pg.Client(database.orchestrator);
    await listener.connect();
    listener.on('notification', ({ payload }) => engine.wake(payload ?? ''));
    await listener.query('listen tickets_results');
    open.push({ close: () => listener.end() });
  }
  open.push(await TestWorker.open(database.worker, undefined, options));
  const tasks: TaskDraft[] = Array.from({ length }, (_, index) => ({
    id: `t${index}`,
    needs: index === 0 ? [] : [`t${index - 1}`],
  }));
  const planId = `chain-${length}`;
  const ended = new Promise<void>((resolve) => {
    engine.onChange(planId, async () => {
      if (isFinal((await engine.find(planId))?.status ?? 'RUNNING')) resolve();
    });
  });
  await engine.submit(planOf(tasks, { plan_id: planId }), 'spiffe://neural-hive.local/operator');
  await ended;
  const { rows } = await pool.query<{ ms: string | null }>(
    `select extract(epoch from created_at - lag(created_at) over (order by created_at)) * 1000 as ms
       from tickets.ticket where plan_id = $1`,
    [planId],
  );
  return rows.flatMap(({ ms }) => (ms === null ? [] : [Number(ms)])).sort((a, b) => a - b);
}

function report(name: string, hops: readonly number[]): { p50: number; max: number } {
  const at = (share: number): number => Math.round((hops[Math.floor((hops.length - 1) * share)] ?? 0) * 10) / 10;
  const result = { p50: at(0.5), p95: at(0.95), max: at(1) };
  console.log(JSON.stringify({ name, unit: 'ms', ...result, runs: hops.length }));
  return result;
}

test('a hop (publish, claim, finish, apply) is quick at the median', async () => {
  const { p50 } = report('hop', await runChain(60, { listen: true }));
  // Twofold, for a machine that does other things too.
  expect(p50).toBeLessThanOrEqual(100);
});

test('a hop without any announcement, as when the LISTEN session is rotated away, waits for one poll', async () => {
  const { max } = report('hop without LISTEN', await runChain(8, { listen: false }));
  // Twofold, for a machine that does other things too.
  expect(max).toBeLessThanOrEqual(1_000);
});

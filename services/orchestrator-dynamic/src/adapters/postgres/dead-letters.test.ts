import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, isFinal, type PlanStatus } from '../../domain/index.ts';
import { planOf } from '../../testing/plans.ts';
import { startTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { TestWorker } from '../../testing/test-worker.ts';
import { PostgresPlanEngine } from './plan-engine.ts';

const OPERATOR = 'spiffe://neural-hive.local/operator';

let database: TestDatabase;
let pool: pg.Pool;
let engine: PostgresPlanEngine;
let worker: TestWorker;
/** Tasks, by name and type, that the worker's backend cannot do now. */
const broken = new Set<string>();

beforeAll(async () => {
  database = await startTestDatabase();
  pool = new pg.Pool({ ...database.orchestrator, max: 10 });
  pool.on('error', () => undefined);
  engine = await PostgresPlanEngine.open({
    pool,
    admission: { check: async () => ({ kind: 'able', warning: null }) },
    policy: { ...DEFAULT_POLICY, retryBaseMs: 10, retryCapMs: 20, compensationRetries: 1 },
    pollMs: 20,
  });
  worker = await TestWorker.open(database.worker, async ({ ticket }) =>
    broken.has(`${ticket.task_type} ${ticket.task_id}`) ? { errorClass: 'backend' } : undefined,
  );
});
afterAll(async () => {
  await worker?.close();
  await engine?.close();
  await pool?.end();
  await database?.stop();
});

async function ended(planId: string): Promise<PlanStatus | undefined> {
  const look = async () => isFinal((await engine.find(planId))?.status ?? 'RUNNING');
  await expect.poll(look, { timeout: 30_000 }).toBe(true);
  return (await engine.find(planId))?.status;
}

const letterOf = async (planId: string) =>
  (await engine.deadLetters({ all: true, limit: 100 })).find((letter) => letter.planId === planId);

async function audit(planId: string): Promise<string[]> {
  const { rows } = await pool.query(
    'select action, spiffe_id from orchestrator.audit where plan_id = $1 order by audit_id',
    [planId],
  );
  return rows.map(({ action, spiffe_id }) => `${action} ${spiffe_id}`);
}

describe('a ticket that was given up', () => {
  test('is listed, and its plan runs again under an id of its own when somebody asks for it', async () => {
    broken.add('EXECUTE a');
    await engine.submit(planOf([{ id: 'a' }], { plan_id: 'again' }), OPERATOR);
    expect(await ended('again')).toBe('FAILED');
    const letter = await letterOf('again');
    expect(letter).toMatchObject({ taskId: 'a', errorClass: 'backend', attempts: 2, retriedAs: null });
    expect(await engine.deadLetter(letter?.ticketId ?? '')).toEqual(letter);

    broken.clear();
    const outcome = await engine.retryDeadLetter(letter?.ticketId ?? '', OPERATOR);
    expect(outcome).toMatchObject({ kind: 'done', retriedAs: 'again.r1' });
    expect(await ended('again.r1')).toBe('COMPLETED');
    expect(await letterOf('again')).toMatchObject({ retriedAs: 'again.r1', retriedBy: OPERATOR });
    const open = await engine.deadLetters({ all: false, limit: 100 });
    expect(open.map(({ planId }) => planId)).not.toContain('again');

    expect(await engine.retryDeadLetter(letter?.ticketId ?? '', OPERATOR)).toMatchObject({ retriedAs: 'again.r1' });
    expect(await audit('again')).toEqual([`submit ${OPERATOR}`, `retry ${OPERATOR}`]);
  });

  test('waits for approval again where its plan had to', async () => {
    broken.add('EXECUTE a');
    await engine.submit(planOf([{ id: 'a' }], { plan_id: 'asks', requires_approval: true }), OPERATOR);
    await engine.wish('asks', { action: 'approve', by: OPERATOR, text: null });
    await ended('asks');
    broken.clear();
    const outcome = await engine.retryDeadLetter((await letterOf('asks'))?.ticketId ?? '', OPERATOR);
    expect(outcome).toMatchObject({ kind: 'done', state: { status: 'AWAITING_APPROVAL' } });
  });

  test('that nobody knows is not tried', async () => {
    expect(await engine.retryDeadLetter('nothing', OPERATOR)).toEqual({ kind: 'unknown' });
  });
});

test('an undo that was given up is done after all, and its plan ends anew', async () => {
  broken.add('EXECUTE check').add('COMPENSATE build');
  const tasks = [
    { id: 'build', type: 'BUILD' as const },
    { id: 'check', needs: ['build'] },
  ];
  await engine.submit(planOf(tasks, { plan_id: 'undo' }), OPERATOR);
  expect(await ended('undo')).toBe('FAILED');
  const letter = (await engine.deadLetters({ all: false, limit: 100 })).find(
    ({ planId, compensates }) => planId === 'undo' && compensates !== null,
  );
  expect(letter).toMatchObject({ taskType: 'COMPENSATE', taskId: 'build' });
  const build = async () =>
    [...((await engine.find('undo'))?.tickets.values() ?? [])].find(
      ({ taskId, compensates }) => taskId === 'build' && compensates === null,
    )?.status;
  expect(await build()).toBe('COMPENSATING');

  broken.clear();
  const outcome = await engine.retryDeadLetter(letter?.ticketId ?? '', OPERATOR);
  expect(outcome).toMatchObject({ kind: 'done', state: { status: 'COMPENSATING' } });
  await expect.poll(build, { timeout: 30_000 }).toBe('COMPENSATED');
  expect(await ended('undo')).toBe('FAILED');
  expect(await engine.deadLetter(letter?.ticketId ?? '')).toMatchObject({
    retriedAs: outcome.kind === 'done' ? outcome.retriedAs : '',
  });
  expect(await audit('undo')).toEqual([`submit ${OPERATOR}`, `retry ${OPERATOR}`]);
});

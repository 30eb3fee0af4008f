import { SPIFFE_IDS } from '@neural-hive/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { decide, directDecision } from '../../domain/index.ts';
import type { PlanStore } from '../../ports/plan-store.ts';
import { RefusedMessageError, TicketBusError } from '../../ports/ticket-bus.ts';
import type { TicketDesk } from '../../ports/ticket-desk.ts';
import { EVERY_TYPE, ended, OPERATOR, QUICK, RELEASE, reached, statuses } from '../../testing/plan-engine-contract.ts';
import { decisionOf, planOf } from '../../testing/plans.ts';
import { TemporalStage } from '../../testing/temporal-stage.ts';
import { resultOf } from '../../testing/test-worker.ts';
import { NEWS_SIGNAL, workflowIdOf } from './plan-messages.ts';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

let stage: TemporalStage;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  stage = await TemporalStage.start();
}, 300_000);
afterEach(async () => {
  stage.bus.onPublish = () => undefined;
  for (const each of open.splice(0).reverse()) await each.close();
});
afterAll(() => stage?.close());

async function engineOf(options: Parameters<TemporalStage['open']>[0] = {}) {
  const engine = await stage.open(options);
  open.push(engine);
  return engine;
}

async function workersOf(count: number, execute: Parameters<TemporalStage['worker']>[0] = async () => undefined) {
  const workers = await Promise.all(Array.from({ length: count }, () => stage.worker(execute, EVERY_TYPE)));
  open.push(...workers);
  return { attempts: () => workers.flatMap(({ attempts }) => attempts) };
}

const FAILING = [...RELEASE, { id: 'check', needs: ['deploy'] }];
const failCheck = async ({ ticket }: { ticket: { task_id: string; task_type: string } }) =>
  ticket.task_id === 'check' && ticket.task_type === 'EXECUTE' ? ({ errorClass: 'timeout' } as const) : undefined;

describe('an engine that ends in the middle of a plan', () => {
  test('is followed by one that goes on where it stopped, again and again', async () => {
    let engine = await engineOf();
    const { attempts } = await workersOf(1, failCheck);
    await engine.submit(planOf(FAILING, { plan_id: 'survives' }), OPERATOR);
    for (let ends = 0; ends < 3; ends += 1) {
      const seen = attempts().length;
      await reached(engine, 'survives', () => attempts().length > seen);
      await engine.close();
      engine = await engineOf();
    }
    const state = await ended(engine, 'survives');
    expect(statuses(state)).toMatchObject({ build: 'COMPENSATED', deploy: 'COMPENSATED', check: 'FAILED' });
    // Each ticket was attempted once, the failing one twice.
    expect(attempts()).toHaveLength(4 + 2 + 2);
  });

  test('starts what was stored by a process that died before it could start it', async () => {
    const plan = planOf([{ id: 'a' }], { plan_id: 'stored' });
    const decision = directDecision(plan, OPERATOR, 1);
    const first = decide(undefined, { type: 'submitted', atMs: 1, plan, decision, by: OPERATOR, policy: QUICK });
    const { tickets, plan: _, decision: __, ...head } = first.state;
    await stage.store.create({
      planId: 'stored',
      plan,
      decision,
      createdAtMs: 1,
      tickets: [...tickets.values()].map((state, position) => ({ position, state, timers: [], resultToken: 0 })),
      progress: [],
      telemetry: [],
      head: { head, timers: [], told: 0 },
    });
    await workersOf(1);
    expect((await ended(await engineOf(), 'stored')).status).toBe('COMPLETED');
  });
});

/** Every method fails once after it has done its work, for each argument, as when the answer to it was lost. */
function losingAnswers<T extends object>(inner: T, methods: readonly (keyof T)[]): { lossy: T; lost: () => number } {
  const lost = new Set<string>();
  const lossy = new Proxy(inner, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name);
      if (typeof own !== 'function') return own;
      const method = own.bind(target);
      if (!methods.includes(name as keyof T)) return method;
      return async (...args: unknown[]) => {
        const answer = await method(...args);
        const key = `${String(name)} ${JSON.stringify(args)}`;
        if (lost.has(key)) return answer;
        lost.add(key);
        throw new Error('the answer was lost');
      };
    },
  });
  return { lossy, lost: () => lost.size };
}

test('whatever an activity was at when it died is done again, and nothing is there twice', async () => {
  const store = losingAnswers<PlanStore>(stage.store, ['save', 'buryTicket', 'markRetried', 'readHead']);
  const desk = losingAnswers<TicketDesk>(stage.desk, ['offer', 'cancel', 'resume', 'pause']);
  const bus = losingAnswers(stage.bus, ['publish', 'bury']);
  const engine = await engineOf({ store: store.lossy, desk: desk.lossy, bus: bus.lossy });
  const { attempts } = await workersOf(2, failCheck);
  // The client reads the store as well: it asks again.
  const plan = planOf(FAILING, { plan_id: 'lossy', requires_approval: true });
  await expect(engine.submit(plan, OPERATOR)).resolves.toMatchObject({ kind: 'accepted' });
  await engine.wish('lossy', { action: 'approve', by: OPERATOR, text: null });
  const state = await ended(engine, 'lossy');
  expect(statuses(state)).toMatchObject({ build: 'COMPENSATED', deploy: 'COMPENSATED', check: 'FAILED' });
  expect(attempts()).toHaveLength(4 + 2 + 2);
  expect(store.lost() + desk.lost() + bus.lost()).toBeGreaterThan(20);
  const lines = await engine.progressAfter('lossy', 0);
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index + 1));
  // Seven tickets end, and two are undone, which is told when it begins and when it is done.
  expect(lines.filter(({ line }) => line.type === 'ticket' && line.step === 'ended')).toHaveLength(7 + 2 * 2);
  expect(await stage.audit('lossy')).toEqual([`submit ${OPERATOR} `, `approve ${OPERATOR} `]);
  const letters = await engine.deadLetters({ all: true, limit: 100 });
  expect(letters.filter(({ planId }) => planId === 'lossy')).toHaveLength(1);
});

describe('what should not arrive', () => {
  test('a signal that is no event, and an event of a ticket that nobody knows, leave the plan as it is', async () => {
    const engine = await engineOf();
    await engine.submit(planOf([{ id: 'a' }], { plan_id: 'poisoned', requires_approval: true }), OPERATOR);
    const { workflow } = new stage.sdk.Client({
      connection: stage.connection,
      namespace: stage.server.namespace,
    }) as unknown as {
      workflow: { getHandle(id: string): { signal(name: string, ...args: unknown[]): Promise<void> } };
    };
    const handle = workflow.getHandle(workflowIdOf('poisoned'));
    const poison = [
      null,
      'text',
      { type: 'unheard of', atMs: 1 },
      { type: 'submitted', atMs: 1 },
      { type: 'result', atMs: 1, ticketId: 'tkt-none', fencingToken: 1 },
      { type: 'timer', atMs: 1 },
    ];
    for (const content of poison) await handle.signal(NEWS_SIGNAL, content);
    await handle.signal(NEWS_SIGNAL);
    await workersOf(1);
    await engine.wish('poisoned', { action: 'approve', by: OPERATOR, text: null });
    expect((await ended(engine, 'poisoned')).status).toBe('COMPLETED');
  });

  test('a result that comes twice, late, or for a ticket that nobody knows', async () => {
    const engine = await engineOf();
    await engine.submit(planOf([{ id: 'a' }], { plan_id: 'twice' }), OPERATOR);
    const first = await stage.claim('EXECUTE');
    const failed = resultOf(first, { errorClass: 'backend' });
    await engine.result(first.ticket.ticket_id, 'twice', 1, failed);
    const second = await stage.claim('EXECUTE');
    expect(second.ticket.retry_count).toBe(1);
    await reached(engine, 'twice', ({ tickets }) => [...tickets.values()].some(({ retryCount }) => retryCount === 1));
    // Of the attempt before: it must not end this one.
    await engine.result(first.ticket.ticket_id, 'twice', 1, failed);
    expect((await engine.find('twice'))?.status).toBe('RUNNING');
    expect(await stage.finish(second, resultOf(second, undefined))).toBe(true);
    expect((await ended(engine, 'twice')).status).toBe('COMPLETED');
    await expect(engine.result('tkt-none', 'twice', 1, failed)).rejects.toThrow(RefusedMessageError);
  });

  test('decisions over the bus: one that is wrong is refused, a good one runs once', async () => {
    const engine = await engineOf();
    await workersOf(1);
    const plan = planOf([{ id: 'a' }], { plan_id: 'decided' });
    const decision = decisionOf(plan);
    await engine.decision(decision);
    await engine.decision(decision);
    expect((await ended(engine, 'decided')).submittedBy).toBe(SPIFFE_IDS.orchestrator);
    await expect(engine.decision({ ...decision, plan_id: 'other' })).rejects.toThrow(RefusedMessageError);
    await expect(engine.decision({ ...decision, cognitive_plan: null })).rejects.toThrow(RefusedMessageError);
    const other = { ...decision, cognitive_plan: { ...plan, risk_score: 0.9 } };
    await expect(engine.decision(other)).rejects.toThrow('another plan');
  });

  test('a ticket that is too large to travel fails for good, and the plan with it', async () => {
    const engine = await engineOf();
    stage.bus.onPublish = ({ task_id: id }) => {
      if (id === 'large') throw new TicketBusError('too-large', 'the message has too many bytes');
    };
    await engine.submit(planOf([{ id: 'large' }], { plan_id: 'too-large' }), OPERATOR);
    const state = await ended(engine, 'too-large');
    expect(state).toMatchObject({ status: 'FAILED', failure: { errorClass: 'parameters' } });
    expect(state.failure?.message).toContain('too many bytes');
  });
});

test('item 45: a ticket is known before its message travels, and a message that was not taken is sent again', async () => {
  const engine = await engineOf();
  const { attempts } = await workersOf(1);
  let refusals = 0;
  stage.bus.onPublish = () => {
    refusals += 1;
    if (refusals <= 2) throw new TicketBusError('not-acknowledged', 'no acknowledgement', { retryable: true });
  };
  await engine.submit(planOf([{ id: 'a' }], { plan_id: 'early' }), OPERATOR);
  const state = await ended(engine, 'early');
  expect(refusals).toBe(3);
  // Nobody came too early: the first claim was granted, and its duration is kept.
  expect(attempts()).toHaveLength(1);
  const [ticket] = state.tickets.values();
  expect(ticket).toMatchObject({ takeovers: 0, fencingToken: attempts()[0]?.fencingToken });
  expect(ticket?.endedAtMs).toBeGreaterThanOrEqual(ticket?.startedAtMs ?? Number.POSITIVE_INFINITY);
});

test('a holder that goes silent loses its ticket to another, and its own result counts for nothing', async () => {
  const engine = await engineOf();
  await engine.submit(planOf([{ id: 'a', type: 'QUERY' }], { plan_id: 'silent' }), OPERATOR);
  const silent = await stage.claim('QUERY');
  stage.bus.giveBack(silent.ticket);
  const { attempts } = await workersOf(1);
  const state = await ended(engine, 'silent');
  expect(state.status).toBe('COMPLETED');
  const [second] = attempts();
  expect(attempts()).toHaveLength(1);
  expect(second?.fencingToken).toBeGreaterThan(silent.fencingToken);
  expect([...state.tickets.values()]).toMatchObject([{ takeovers: 1, fencingToken: second?.fencingToken }]);
  expect(await stage.finish(silent, {})).toBe(false);
});

test('a long plan goes on in new runs, with its timers and what was done', async () => {
  const engine = await engineOf({ maxEvents: 50 });
  const { attempts } = await workersOf(2, failCheck);
  const steps = Array.from({ length: 6 }, (_, at) => ({ id: `s${at}`, needs: at === 0 ? [] : [`s${at - 1}`] }));
  const tasks = [{ id: 'build', type: 'BUILD' as const }, ...steps, { id: 'check', needs: ['build', 's5'] }];
  await engine.submit(planOf(tasks, { plan_id: 'long' }), OPERATOR);
  const state = await ended(engine, 'long');
  expect(statuses(state)).toMatchObject({ s5: 'COMPLETED', check: 'FAILED', build: 'COMPENSATED' });
  expect(attempts()).toHaveLength(1 + 6 + 2 + 1);
  const query = encodeURIComponent(`WorkflowId='${workflowIdOf('long')}'`);
  const path = `/api/v1/namespaces/${stage.server.namespace}/workflows?query=${query}`;
  const runs = async () => ((await stage.server.call('GET', path)) as { executions: readonly unknown[] }).executions;
  // What is listed follows what has happened.
  await expect.poll(async () => (await runs()).length, { timeout: 30_000 }).toBeGreaterThan(1);
});

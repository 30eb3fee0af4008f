import type { ErrorClass, ExecutionTicket, TaskType } from '@neural-hive/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, type ExecutionPolicy, isFinal, type PlanState, viewPlan } from '../domain/index.ts';
import type { Admission } from '../ports/admission.ts';
import type { PlanEngine } from '../ports/plan-engine.ts';
import { decisionOf, planOf, type TaskDraft } from './plans.ts';

export interface Attempt {
  readonly ticket: ExecutionTicket;
  readonly fencingToken: number;
}

/** What an attempt comes to: undefined completes it. */
export type Execute = (attempt: Attempt) => Promise<{ errorClass: ErrorClass } | undefined | 'die'>;

export interface ContractWorker {
  readonly attempts: readonly Attempt[];
  close(): Promise<void>;
}

export interface EngineOptions {
  readonly admission: Admission;
  readonly policy: ExecutionPolicy;
  /** False keeps the engine from hearing of claims and results for a minute, where it can be kept. */
  readonly listen: boolean;
}

/** An engine with the transport of its tickets, and a worker's and an auditor's look at both. */
export interface EngineFixture {
  open(options: EngineOptions): Promise<PlanEngine>;
  worker(execute: Execute, types: readonly TaskType[]): Promise<ContractWorker>;
  /** Claims a ticket by hand, once there is one. */
  claim(type: TaskType): Promise<Attempt>;
  /** Publishes a result by hand. False when it is refused at once. */
  finish(attempt: Attempt, result: object): Promise<boolean>;
  /** Whether the holder may go on. */
  heartbeat(attempt: Attempt): Promise<boolean>;
  /** Tickets of the plan that were given to the transport. */
  offered(planId: string): Promise<number>;
  /** `<action> <SPIFFE ID> <text>` in its order. */
  audit(planId: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

export const OPERATOR = 'spiffe://neural-hive.local/operator';
export const ABLE: Admission = { check: async () => ({ kind: 'able', warning: null }) };
export const QUICK: ExecutionPolicy = { ...DEFAULT_POLICY, retryBaseMs: 20, retryCapMs: 40, compensationRetries: 1 };
export const EVERY_TYPE: readonly TaskType[] = [
  'BUILD',
  'DEPLOY',
  'TEST',
  'VALIDATE',
  'EXECUTE',
  'COMPENSATE',
  'QUERY',
  'TRANSFORM',
];

export const RELEASE: readonly TaskDraft[] = [
  { id: 'build', type: 'BUILD' },
  { id: 'test', type: 'TEST', needs: ['build'] },
  { id: 'query', type: 'QUERY' },
  { id: 'deploy', type: 'DEPLOY', needs: ['test', 'query'] },
];

/** Resolves with the state of a plan once `wanted` holds for it; `signal` ends the looking. */
export function reached(
  engine: PlanEngine,
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

export const ended = (engine: PlanEngine, planId: string, signal?: AbortSignal): Promise<PlanState> =>
  reached(engine, planId, ({ status }) => isFinal(status), signal);

export function statuses(state: PlanState): Record<string, string> {
  return Object.fromEntries(
    [...state.tickets.values()].map((ticket) => [
      ticket.compensates === null ? ticket.taskId : `undo ${ticket.taskId}`,
      ticket.status,
    ]),
  );
}

/** What every engine does, whatever it runs on. */
export function describePlanEngine(name: string, start: () => Promise<EngineFixture>): void {
  let fixture: EngineFixture;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    fixture = await start();
  }, 300_000);
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  }, 300_000);
  afterAll(() => fixture?.close(), 300_000);

  async function engineOf(options: Partial<EngineOptions> = {}): Promise<PlanEngine> {
    const engine = await fixture.open({ admission: ABLE, policy: QUICK, listen: true, ...options });
    open.push(engine);
    return engine;
  }

  async function workerOf(execute: Execute = async () => undefined, types = EVERY_TYPE): Promise<ContractWorker> {
    const worker = await fixture.worker(execute, types);
    open.push(worker);
    return worker;
  }

  const wish = (engine: PlanEngine, planId: string, action: 'approve' | 'reject' | 'cancel' | 'pause' | 'resume') =>
    engine.wish(planId, { action, by: OPERATOR, text: null });

  describe(`a plan on ${name}`, { timeout: 300_000 }, () => {
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
        expect((await ended(engine, planId)).status).toBe('COMPLETED');
      }
    });

    test('waits for approval, publishes nothing before, and keeps who approved', async () => {
      const engine = await engineOf();
      const worker = await workerOf();
      const plan = planOf([{ id: 'a' }], { plan_id: 'approved', requires_approval: true });
      const { kind } = await engine.submit(plan, OPERATOR);
      expect(kind).toBe('accepted');
      expect((await engine.find('approved'))?.status).toBe('AWAITING_APPROVAL');
      expect(await fixture.offered('approved')).toBe(0);
      const approve = { action: 'approve' as const, by: OPERATOR, text: 'reviewed' };
      expect(await engine.wish('approved', approve)).toMatchObject({ kind: 'done' });
      expect(await engine.wish('approved', approve)).toMatchObject({ kind: 'refused' });
      const state = await ended(engine, 'approved');
      expect(state).toMatchObject({ status: 'COMPLETED', approval: { verdict: 'approved', by: OPERATOR } });
      expect(worker.attempts).toHaveLength(1);
      expect(await fixture.audit('approved')).toEqual([`submit ${OPERATOR} `, `approve ${OPERATOR} reviewed`]);
    });

    test('a wish is refused with the reason of the reducer, before and after the end, and unknown for an unknown plan', async () => {
      const engine = await engineOf();
      const plan = planOf([{ id: 'a' }], { plan_id: 'refused', requires_approval: true });
      await engine.submit(plan, OPERATOR);
      expect(await wish(engine, 'refused', 'reject')).toMatchObject({ kind: 'done', state: { status: 'REJECTED' } });
      const refused = await wish(engine, 'refused', 'approve');
      expect(refused).toMatchObject({ kind: 'refused', reason: 'the plan has ended: it is REJECTED' });
      expect(await wish(engine, 'nothing', 'cancel')).toEqual({ kind: 'unknown' });
    });

    test('a decision that rejects ends its plan before anything runs', async () => {
      const engine = await engineOf();
      const plan = planOf([{ id: 'a' }], { plan_id: 'rejected' });
      const decision = decisionOf(plan, { final_decision: 'reject', cognitive_plan: null });
      expect(await engine.submit(plan, OPERATOR, decision)).toMatchObject({ state: { status: 'REJECTED' } });
      expect(await fixture.offered('rejected')).toBe(0);
      expect((await engine.list({ status: 'REJECTED', limit: 10 })).map(({ id }) => id)).toContain('rejected');
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
      expect(await fixture.audit('same')).toHaveLength(1);
    });

    test('fails early when nobody alive can do it', async () => {
      const nobody: Admission = { check: async () => ({ kind: 'unable', reason: 'nobody does EXECUTE' }) };
      const engine = await engineOf({ admission: nobody });
      await engine.submit(planOf([{ id: 'a' }], { plan_id: 'unable' }), OPERATOR);
      const state = await ended(engine, 'unable');
      expect(state).toMatchObject({ status: 'FAILED', failure: { message: 'nobody does EXECUTE' } });
      expect(await fixture.offered('unable')).toBe(0);
    });

    test('can be cancelled while somebody is looked for who can do it', async () => {
      const silent: Admission = {
        check: (_, { signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
      };
      const engine = await engineOf({ admission: silent });
      await engine.submit(planOf([{ id: 'a' }], { plan_id: 'impatient' }), OPERATOR);
      expect(await wish(engine, 'impatient', 'cancel')).toMatchObject({ kind: 'done', state: { status: 'CANCELLED' } });
    });

    test('cancel stops what a worker holds: its heartbeat and result are refused', async () => {
      const engine = await engineOf();
      await engine.submit(planOf([{ id: 'a', type: 'TEST' }], { plan_id: 'cancelled' }), OPERATOR);
      const held = await fixture.claim('TEST');
      await reached(engine, 'cancelled', ({ tickets }) =>
        [...tickets.values()].some(({ status }) => status === 'RUNNING'),
      );
      expect(await fixture.heartbeat(held)).toBe(true);
      await wish(engine, 'cancelled', 'cancel');
      expect(await ended(engine, 'cancelled')).toMatchObject({ status: 'CANCELLED' });
      expect(await fixture.heartbeat(held)).toBe(false);
      expect(await fixture.finish(held, {})).toBe(false);
    });

    test('a paused plan gives no ticket to anybody until it is resumed', async () => {
      const engine = await engineOf();
      await engine.submit(planOf([{ id: 'a' }, { id: 'b', needs: ['a'] }], { plan_id: 'paused' }), OPERATOR);
      await reached(engine, 'paused', ({ status }) => status === 'RUNNING');
      await wish(engine, 'paused', 'pause');
      const worker = await workerOf();
      await engine.submit(planOf([{ id: 'a' }], { plan_id: 'beside' }), OPERATOR);
      expect((await ended(engine, 'beside')).status).toBe('COMPLETED');
      expect(worker.attempts.map(({ ticket }) => ticket.plan_id)).toEqual(['beside']);
      await wish(engine, 'paused', 'resume');
      expect((await ended(engine, 'paused')).status).toBe('COMPLETED');
      expect((await fixture.audit('paused')).slice(1)).toEqual([`pause ${OPERATOR} `, `resume ${OPERATOR} `]);
    });

    test('a paused plan that is cancelled ends without anybody resuming it', async () => {
      const engine = await engineOf();
      await engine.submit(planOf([{ id: 'a' }], { plan_id: 'paused-cancelled' }), OPERATOR);
      await reached(engine, 'paused-cancelled', ({ status }) => status === 'RUNNING');
      await wish(engine, 'paused-cancelled', 'pause');
      await wish(engine, 'paused-cancelled', 'cancel');
      expect((await ended(engine, 'paused-cancelled')).status).toBe('CANCELLED');
    });

    test('a ticket that was taken a moment ago is known before it is called off', async () => {
      const engine = await engineOf({ listen: false });
      await engine.submit(planOf([{ id: 'd', type: 'DEPLOY' }], { plan_id: 'meanwhile' }), OPERATOR);
      await reached(engine, 'meanwhile', ({ status }) => status === 'RUNNING');
      const held = await fixture.claim('DEPLOY');
      const outcome = await wish(engine, 'meanwhile', 'cancel');
      expect(outcome).toMatchObject({ kind: 'done', state: { status: 'STOPPING' } });
      expect(statuses((await engine.find('meanwhile')) ?? ({} as PlanState))).toEqual({ d: 'RUNNING' });
      expect(await fixture.heartbeat(held)).toBe(true);
    });

    test('a worker that publishes nonsense fails its ticket', async () => {
      const engine = await engineOf();
      await engine.submit(planOf([{ id: 'v', type: 'VALIDATE' }], { plan_id: 'nonsense' }), OPERATOR);
      await fixture.finish(await fixture.claim('VALIDATE'), {});
      const state = await ended(engine, 'nonsense');
      expect(state.failure?.message).toContain('no valid result');
    });

    test('what happens to plans is told in one feed, each line once', async () => {
      const engine = await engineOf();
      await workerOf();
      await engine.submit(planOf([{ id: 'a' }], { plan_id: 'told' }), OPERATOR);
      await ended(engine, 'told');
      const seen: string[] = [];
      for (let after = '0-0'; ; ) {
        const { events } = await engine.telemetryAfter(after, 2);
        if (events.length === 0) break;
        for (const { plan_id, event_type } of events) if (plan_id === 'told') seen.push(event_type);
        after = events.at(-1)?.cursor ?? after;
      }
      expect(seen).toEqual(['FLOW_C_STARTED', 'FLOW_C_COMPLETED']);
    });
  });

  describe(`a ticket that was given up on ${name}`, { timeout: 300_000 }, () => {
    test('is listed, and its plan runs again under an id of its own, after the same approval', async () => {
      const engine = await engineOf();
      const broken = new Set(['a']);
      await workerOf(async ({ ticket }) => (broken.has(ticket.task_id) ? { errorClass: 'backend' } : undefined));
      await engine.submit(planOf([{ id: 'a' }], { plan_id: 'again', requires_approval: true }), OPERATOR);
      await wish(engine, 'again', 'approve');
      expect((await ended(engine, 'again')).status).toBe('FAILED');
      const letters = await engine.deadLetters({ all: false, limit: 100 });
      const letter = letters.find(({ planId }) => planId === 'again');
      expect(letter).toMatchObject({ taskId: 'a', errorClass: 'backend', attempts: 2, retriedAs: null });
      broken.clear();
      const ticketId = letter?.ticketId ?? '';
      const outcome = await engine.retryDeadLetter(ticketId, OPERATOR);
      expect(outcome).toMatchObject({ kind: 'done', retriedAs: 'again.r1', state: { status: 'AWAITING_APPROVAL' } });
      await wish(engine, 'again.r1', 'approve');
      expect((await ended(engine, 'again.r1')).status).toBe('COMPLETED');
      expect(await engine.deadLetter(ticketId)).toMatchObject({ retriedAs: 'again.r1', retriedBy: OPERATOR });
      expect(await engine.retryDeadLetter(ticketId, OPERATOR)).toMatchObject({ retriedAs: 'again.r1' });
      expect(await engine.retryDeadLetter('nothing', OPERATOR)).toEqual({ kind: 'unknown' });
    });

    test('an undo is done after all, and its plan ends anew', async () => {
      const engine = await engineOf();
      const broken = new Set(['EXECUTE check', 'COMPENSATE build']);
      await workerOf(async ({ ticket }) =>
        broken.has(`${ticket.task_type} ${ticket.task_id}`) ? { errorClass: 'backend' } : undefined,
      );
      const tasks: TaskDraft[] = [
        { id: 'build', type: 'BUILD' },
        { id: 'check', needs: ['build'] },
      ];
      await engine.submit(planOf(tasks, { plan_id: 'undo' }), OPERATOR);
      expect((await ended(engine, 'undo')).status).toBe('FAILED');
      const letters = await engine.deadLetters({ all: false, limit: 100 });
      const letter = letters.find(({ planId, compensates }) => planId === 'undo' && compensates !== null);
      expect(letter).toMatchObject({ taskType: 'COMPENSATE', taskId: 'build' });
      broken.clear();
      const outcome = await engine.retryDeadLetter(letter?.ticketId ?? '', OPERATOR);
      expect(outcome).toMatchObject({ kind: 'done' });
      const state = await reached(
        engine,
        'undo',
        ({ status, tickets }) =>
          isFinal(status) && [...tickets.values()].every((ticket) => ticket.status !== 'COMPENSATING'),
      );
      expect(state.status).toBe('FAILED');
      expect(await engine.deadLetter(letter?.ticketId ?? '')).toMatchObject({
        retriedAs: outcome.kind === 'done' ? outcome.retriedAs : '',
      });
      expect(await fixture.audit('undo')).toEqual([`submit ${OPERATOR} `, `retry ${OPERATOR} `]);
    });
  });
}

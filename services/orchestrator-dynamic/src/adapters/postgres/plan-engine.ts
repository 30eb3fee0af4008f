import { EventEmitter } from 'node:events';
import type { CognitivePlan, ConsolidatedDecision } from '@neural-hive/contracts';
import { type Clock, messageOf, sleep, systemClock } from '@neural-hive/security/common';
import type { Logger } from '@neural-hive/service-runtime';
import {
  type ExecutionPolicy,
  neededAbilities,
  type PlanState,
  type PlanStatus,
  type PlanSummary,
} from '../../domain/index.ts';
import type { Admission } from '../../ports/admission.ts';
import { countDecision, type EngineMetrics, NO_METRICS } from '../../ports/engine-metrics.ts';
import type {
  NumberedProgress,
  PlanEngine,
  RetryOutcome,
  StoredDeadLetter,
  SubmitOutcome,
  TelemetryPage,
  Wish,
  WishOutcome,
} from '../../ports/plan-engine.ts';
import { recordAudit } from './audit.ts';
import { ClaimedMeanwhileError } from './carry-out.ts';
import { findDeadLetter, listDeadLetters } from './dead-letters.ts';
import { findBusyPlans } from './plan-inbox.ts';
import { PlanStore } from './plan-store.ts';
import { type Applied, applyGiven, applyNext, type Checkpoint } from './plan-transaction.ts';
import { retryDeadLetter } from './retry-dead-letter.ts';
import type { SessionPool } from './session-pool.ts';
import { submitPlan } from './submit-plan.ts';
import { readTelemetry } from './telemetry-feed.ts';
import { wishEvent, wishEventId } from './wish.ts';

export interface PostgresPlanEngineOptions {
  /** Sessions of the orchestrator's login; borrowed, not closed. */
  readonly pool: SessionPool;
  readonly admission: Admission;
  readonly policy: ExecutionPolicy;
  /** How often to look for work that no notification announced. Default 200 ms. */
  readonly pollMs?: number;
  /** How many plans are at an event at once. Default 4. */
  readonly concurrency?: number;
  readonly clock?: Clock;
  readonly log?: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics?: EngineMetrics;
  readonly checkpoint?: Checkpoint;
}

/** A plan whose events fail waits this long before the next try, so that the others go on. */
const HOLD_MS = 1_000;

/**
 * Runs plans over PostgreSQL: next event, decide, commands, in one transaction an event; several plans at once, one
 * event a plan at a time. Everything durable is in the database: another engine goes on wherever this one stops.
 */
export class PostgresPlanEngine implements PlanEngine {
  readonly #options: Required<Omit<PostgresPlanEngineOptions, 'log' | 'checkpoint'>> &
    Pick<PostgresPlanEngineOptions, 'log' | 'checkpoint'>;
  readonly #store = new PlanStore();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #busy = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #waiting = new Set<string>();
  readonly #admitting = new Map<string, Promise<void>>();
  readonly #heldUntilMs = new Map<string, number>();
  readonly #stopping = new AbortController();
  #polling: Promise<void> = Promise.resolve();

  private constructor(options: PostgresPlanEngineOptions) {
    this.#options = {
      pollMs: 200,
      concurrency: 4,
      clock: systemClock,
      metrics: NO_METRICS,
      ...options,
    };
  }

  /** Resolves once the first look at the database succeeded; plans that were under way go on from there. */
  static async open(options: PostgresPlanEngineOptions): Promise<PostgresPlanEngine> {
    const engine = new PostgresPlanEngine(options);
    await engine.#look();
    engine.#polling = engine.#poll();
    return engine;
  }

  /** Takes no further event and waits for the transactions under way. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the engine is closed'));
    this.#waiting.clear();
    await Promise.allSettled([this.#polling, ...this.#busy.values(), ...this.#admitting.values()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Looks at one plan now; called for every announcement of the ticket transport. */
  wake(planId: string): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#busy.has(planId)) this.#again.add(planId);
    else if (this.#busy.size >= this.#options.concurrency) this.#waiting.add(planId);
    else this.#start(planId);
  }

  /** Stores a checked plan and the decision that it came with, records who submitted it and sets it going, all or nothing. */
  async submit(plan: CognitivePlan, by: string, decision?: ConsolidatedDecision): Promise<SubmitOutcome> {
    const { clock, policy, pool, metrics } = this.#options;
    const made = await submitPlan(pool, this.#store, { plan, decision, by, policy, atMs: clock.now() });
    if (made === 'conflict') return { kind: 'conflict' };
    if (made !== 'same') {
      metrics.planSubmitted();
      this.#afterCommit(plan.plan_id, made);
    }
    const stored = await this.#store.read(pool, plan.plan_id);
    if (stored === undefined) return { kind: 'conflict' };
    return { kind: 'accepted', created: made !== 'same', state: stored.state };
  }

  /** What a person wants of a plan; who and what is recorded in the same transaction. */
  async wish(planId: string, wish: Wish): Promise<WishOutcome> {
    for (;;) {
      try {
        return await this.#tryWish(planId, wish);
      } catch (error) {
        if (!(error instanceof ClaimedMeanwhileError)) throw error;
        await this.#drain(planId);
      }
    }
  }

  async find(planId: string): Promise<PlanState | undefined> {
    return (await this.#store.read(this.#options.pool, planId))?.state;
  }

  list(filter: { status?: PlanStatus | undefined; limit: number }): Promise<readonly PlanSummary[]> {
    return this.#store.list(this.#options.pool, filter);
  }

  progressAfter(planId: string, after: number): Promise<readonly NumberedProgress[]> {
    return this.#store.progressAfter(this.#options.pool, planId, after);
  }

  /** Tickets that were given up, the newest first; `all` also those that were tried again. */
  deadLetters(filter: { all: boolean; limit: number }): Promise<readonly StoredDeadLetter[]> {
    return listDeadLetters(this.#options.pool, filter);
  }

  deadLetter(ticketId: string): Promise<StoredDeadLetter | undefined> {
    return findDeadLetter(this.#options.pool, ticketId);
  }

  retryDeadLetter(ticketId: string, by: string): Promise<RetryOutcome> {
    const { checkpoint, clock, pool } = this.#options;
    return retryDeadLetter({
      pool,
      store: this.#store,
      checkpoint,
      ticketId,
      by,
      nowMs: clock.now(),
      submit: (plan, who, decision) => this.submit(plan, who, decision),
      afterCommit: (planId, applied) => this.#afterCommit(planId, applied),
    });
  }

  /** What those who watch all plans are told, behind `after`; `0-0` is the beginning. */
  telemetryAfter(after: string, limit: number): Promise<TelemetryPage> {
    return readTelemetry(this.#options.pool, { after, limit });
  }

  /** Calls back after every change of the plan that this process made. */
  onChange(planId: string, listener: () => void): () => void {
    this.#changes.on(changeOf(planId), listener);
    return () => this.#changes.off(changeOf(planId), listener);
  }

  async countActive(): Promise<number> {
    const { rows } = await this.#options.pool.query<{ plans: number }>(
      'select count(*)::int as plans from orchestrator.plan where not final',
    );
    return rows[0]?.plans ?? 0;
  }

  async #tryWish(planId: string, wish: Wish): Promise<WishOutcome> {
    const { clock, pool } = this.#options;
    const applied = await applyGiven(
      { pool, store: this.#store, checkpoint: this.#options.checkpoint },
      planId,
      ({ seq }) => ({ eventId: wishEventId(wish, seq), event: wishEvent(wish, clock.now()) }),
      (client) => recordAudit(client, planId, wish.action, wish.by, wish.text === null ? {} : { text: wish.text }),
    );
    if (applied === undefined) return { kind: 'unknown' };
    const { refusal, state } = applied.decision;
    if (refusal !== null) return { kind: 'refused', reason: refusal, state };
    this.#afterCommit(planId, applied);
    return { kind: 'done', state };
  }

  async #poll(): Promise<void> {
    const { clock, log, pollMs } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(pollMs, { clock, signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#look().catch((error: unknown) => {
        log?.warn({ error: messageOf(error) }, 'cannot look for work; trying again');
      });
    }
  }

  async #look(): Promise<void> {
    const nowMs = this.#options.clock.now();
    const { withEvents, admitting } = await findBusyPlans(this.#options.pool, nowMs);
    for (const planId of withEvents) {
      if ((this.#heldUntilMs.get(planId) ?? 0) <= nowMs) this.wake(planId);
    }
    for (const planId of admitting) this.#admit(planId);
  }

  #start(planId: string): void {
    const run = this.#drain(planId)
      .catch((error: unknown) => this.#hold(planId, error))
      .finally(() => {
        this.#busy.delete(planId);
        if (this.#again.delete(planId)) this.wake(planId);
        const [next] = this.#waiting;
        if (next === undefined) return;
        this.#waiting.delete(next);
        this.wake(next);
      });
    this.#busy.set(planId, run);
  }

  #hold(planId: string, error: unknown): void {
    const { clock, log, metrics } = this.#options;
    metrics.eventFailed();
    this.#heldUntilMs.set(planId, clock.now() + HOLD_MS);
    log?.error({ planId, error: messageOf(error) }, 'an event of a plan could not be applied; trying again');
  }

  /** Applies events of one plan until none is left. */
  async #drain(planId: string): Promise<void> {
    const { clock, metrics, pool } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const startedMs = clock.monotonicMs();
      let applied: readonly Applied[];
      try {
        applied = await applyNext(
          { pool, store: this.#store, checkpoint: this.#options.checkpoint },
          planId,
          clock.now(),
        );
      } catch (error) {
        if (error instanceof ClaimedMeanwhileError) continue;
        throw error;
      }
      if (applied.length === 0) break;
      const eachMs = (clock.monotonicMs() - startedMs) / applied.length;
      for (const one of applied) {
        metrics.eventApplied(one.event.type, eachMs);
        this.#afterCommit(planId, one);
      }
    }
    this.#heldUntilMs.delete(planId);
  }

  #afterCommit(planId: string, { before, decision }: Applied): void {
    countDecision(this.#options.metrics, before, decision);
    if (decision.state.status === 'ADMITTING') this.#admit(planId);
    this.#changes.emit(changeOf(planId));
  }

  #admit(planId: string): void {
    if (this.#admitting.has(planId) || this.#stopping.signal.aborted) return;
    const run = this.#askAdmission(planId)
      .catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return;
        this.#options.log?.error({ planId, error: messageOf(error) }, 'a plan could not be admitted; trying again');
      })
      .finally(() => this.#admitting.delete(planId));
    this.#admitting.set(planId, run);
  }

  async #askAdmission(planId: string): Promise<void> {
    const { admission, clock, pool } = this.#options;
    const { signal } = this.#stopping;
    const stored = await this.#store.read(pool, planId);
    if (stored?.state.status !== 'ADMITTING') return;
    const answer = await admission.check(neededAbilities(stored.state), { signal });
    if (signal.aborted) return;
    const applied = await applyGiven(
      { pool, store: this.#store, checkpoint: this.#options.checkpoint },
      planId,
      () => ({
        eventId: 'admission',
        event:
          answer.kind === 'able'
            ? { type: 'admitted', atMs: clock.now(), warning: answer.warning }
            : { type: 'unable', atMs: clock.now(), reason: answer.reason },
      }),
    );
    if (applied !== undefined) this.#afterCommit(planId, applied);
  }
}

/** A plan may be called "error", and an event of that name which nobody hears is thrown. */
function changeOf(planId: string): string {
  return `changed ${planId}`;
}

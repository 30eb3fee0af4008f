import { EventEmitter } from 'node:events';
import {
  type ClaimAnswer,
  type CognitivePlan,
  type ConsolidatedDecision,
  type HeartbeatAnswer,
  type ReleaseAnswer,
  SPIFFE_IDS,
} from '@neural-hive/contracts';
import { type Clock, messageOf, sleep, systemClock } from '@neural-hive/security/common';
import type { Logger } from '@neural-hive/service-runtime';
import {
  checkDecision,
  compensationIdOf,
  decide,
  type ExecutionPolicy,
  isFinal,
  type PlanEvent,
  type PlanState,
  type PlanStatus,
  rerunOf,
} from '../../domain/index.ts';
import type { Admission } from '../../ports/admission.ts';
import { type EngineMetrics, NO_METRICS } from '../../ports/engine-metrics.ts';
import type {
  PlanEngine,
  RetryOutcome,
  StoredDeadLetter,
  SubmitOutcome,
  Wish,
  WishOutcome,
} from '../../ports/plan-engine.ts';
import type { PlanStore } from '../../ports/plan-store.ts';
import { type BusHandlers, RefusedMessageError, type TicketBus } from '../../ports/ticket-bus.ts';
import type { Claimant, NewsOfPlan, TicketClaims, TicketDesk } from '../../ports/ticket-desk.ts';
import { recordAudit } from '../postgres/audit.ts';
import { inTransaction, type SessionPool } from '../postgres/session-pool.ts';
import { wishEvent } from '../postgres/wish.ts';
import { createPlanActivities } from './plan-activities.ts';
import { PlanClient } from './plan-client.ts';
import { PlanWorker, type RunWorker } from './plan-worker.ts';
import { submitPlan } from './submit-plan.ts';
import type { ClientConnection, TemporalSdk } from './temporal-sdk.ts';

export interface TemporalPlanEngineOptions {
  readonly sdk: TemporalSdk;
  /** For clients; borrowed, not closed. */
  readonly connection: ClientConnection;
  /** Makes a worker on the connection for workers and runs it: `RotatingNativeConnection.runWorker`. */
  readonly runWorker: RunWorker;
  readonly namespace: string;
  readonly taskQueue: string;
  /** A run of a plan's workflow goes on as a new one after so many events of its history. Default 4,000. */
  readonly maxEvents?: number;
  readonly store: PlanStore;
  readonly desk: TicketDesk;
  readonly bus: TicketBus;
  /** Sessions for idempotency keys and the audit trail; borrowed. */
  readonly pool: SessionPool;
  readonly admission: Admission;
  readonly policy: ExecutionPolicy;
  readonly clock?: Clock;
  readonly log?: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics?: EngineMetrics;
}

type Optional = 'log' | 'maxEvents';
type ResolvedOptions = Required<Omit<TemporalPlanEngineOptions, Optional>> & Pick<TemporalPlanEngineOptions, Optional>;

/** A plan that was stored by a process which died before it started the workflow is found after so long. */
const SWEEP_MS = 60_000;
const SWEEP_PAGE = 200;

/**
 * Runs plans on Temporal: a workflow a plan, the same reducer as everywhere. Temporal holds the events, the store what
 * came of them, PostgreSQL idempotency keys and the audit trail.
 */
export class TemporalPlanEngine implements PlanEngine, TicketClaims, BusHandlers {
  readonly #options: ResolvedOptions;
  readonly #client: PlanClient;
  readonly #changes: EventEmitter;
  readonly #stopping: AbortController;
  readonly #worker: PlanWorker;
  #sweeping: Promise<void> = Promise.resolve();

  private constructor(
    options: ResolvedOptions,
    { worker, changes, stopping }: { worker: PlanWorker; changes: EventEmitter; stopping: AbortController },
  ) {
    this.#options = options;
    this.#client = new PlanClient(options);
    this.#worker = worker;
    this.#changes = changes;
    this.#stopping = stopping;
  }

  /** Resolves once its worker takes tasks; plans that were under way go on. */
  static async open(given: TemporalPlanEngineOptions): Promise<TemporalPlanEngine> {
    const options = { clock: systemClock, metrics: NO_METRICS, ...given };
    const changes = new EventEmitter().setMaxListeners(0);
    const stopping = new AbortController();
    const activities = createPlanActivities({
      ...options,
      heartbeat: options.sdk.heartbeat,
      signal: stopping.signal,
      onKept: (planId) => changes.emit(changeOf(planId)),
    });
    const worker = await PlanWorker.open({ ...options, activities });
    const engine = new TemporalPlanEngine(options, { worker, changes, stopping });
    engine.#sweeping = engine.#sweep();
    return engine;
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the engine is closed'));
    await Promise.allSettled([this.#worker.close(), this.#sweeping]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async submit(plan: CognitivePlan, by: string, decision?: ConsolidatedDecision): Promise<SubmitOutcome> {
    const { clock, policy } = this.#options;
    const planId = plan.plan_id;
    const made = await submitPlan(this.#options, { plan, decision, by, policy, atMs: clock.now() });
    if (made === 'conflict') return { kind: 'conflict' };
    const state = made.state ?? (await this.find(planId));
    if (state === undefined) return { kind: 'conflict' };
    // Also when it was here: who stored it may have died before this.
    if (!isFinal(state.status)) await this.#client.start(planId);
    this.#changes.emit(changeOf(planId));
    return { kind: 'accepted', created: made.created, state };
  }

  async wish(planId: string, wish: Wish): Promise<WishOutcome> {
    const event = wishEvent(wish, this.#options.clock.now());
    const before = await this.find(planId);
    if (before === undefined) return { kind: 'unknown' };
    const refusal = isFinal(before.status)
      ? decide(before, event).refusal
      : (await this.#client.wish(planId, event)).refusal;
    const state = (await this.find(planId)) ?? before;
    return refusal === null ? { kind: 'done', state } : { kind: 'refused', reason: refusal, state };
  }

  find(planId: string): Promise<PlanState | undefined> {
    return this.#options.store.find(planId);
  }

  list(filter: { status?: PlanStatus | undefined; limit: number }): ReturnType<PlanEngine['list']> {
    return this.#options.store.list(filter);
  }

  progressAfter(planId: string, after: number): ReturnType<PlanEngine['progressAfter']> {
    return this.#options.store.progressAfter(planId, after);
  }

  deadLetters(filter: { all: boolean; limit: number }): ReturnType<PlanEngine['deadLetters']> {
    return this.#options.store.deadLetters(filter);
  }

  deadLetter(ticketId: string): Promise<StoredDeadLetter | undefined> {
    return this.#options.store.deadLetter(ticketId);
  }

  async retryDeadLetter(ticketId: string, by: string): Promise<RetryOutcome> {
    const letter = await this.deadLetter(ticketId);
    const state = letter && (await this.find(letter.planId));
    if (letter === undefined || state === undefined) return { kind: 'unknown' };
    if (letter.compensates !== null) return this.#undoAgain(letter, state, by);
    if (!isFinal(state.status)) {
      return { kind: 'refused', reason: `its plan is ending still: it is ${state.status}` };
    }
    return this.#runAgain(letter, state, by);
  }

  telemetryAfter(after: string, limit: number): ReturnType<PlanEngine['telemetryAfter']> {
    return this.#options.store.telemetryAfter(after, limit);
  }

  onChange(planId: string, listener: () => void): () => void {
    this.#changes.on(changeOf(planId), listener);
    return () => this.#changes.off(changeOf(planId), listener);
  }

  countActive(): Promise<number> {
    return this.#options.store.countActive();
  }

  /** Whether the worker takes tasks. */
  get working(): boolean {
    return this.#worker.working;
  }

  async claim(ticketId: string, claimant: Claimant & { readonly retryCount: number }): Promise<ClaimAnswer> {
    const { answer, news } = await this.#options.desk.claim(ticketId, claimant);
    if (news !== undefined) await this.#tell(news);
    return answer;
  }

  heartbeat(ticketId: string, holder: { fencingToken: number; spiffeId: string }): Promise<HeartbeatAnswer> {
    return this.#options.desk.heartbeat(ticketId, holder);
  }

  release(ticketId: string, holder: { fencingToken: number; spiffeId: string }): Promise<ReleaseAnswer> {
    return this.#options.desk.release(ticketId, holder);
  }

  async result(ticketId: string, _planId: string, fencingToken: number, result: unknown): Promise<void> {
    const news = await this.#options.desk.finish(ticketId, fencingToken, result);
    if (news === 'unknown') throw new RefusedMessageError(`there is no ticket ${ticketId}`);
    if (news !== 'discarded') await this.#tell(news);
  }

  async decision(decision: ConsolidatedDecision): Promise<void> {
    const checked = checkDecision(decision, this.#options.clock.now());
    if (!checked.ok) {
      const problems = checked.problems.map(({ path, message }) => `${path} ${message}`);
      throw new RefusedMessageError(
        `the decision has ${problems.length} problem(s): ${problems.slice(0, 20).join('; ')}`,
      );
    }
    // Nobody signs a message: what came over the bus was submitted by who reads it.
    const { kind } = await this.submit(checked.plan, SPIFFE_IDS.orchestrator, checked.decision);
    if (kind === 'conflict') throw new RefusedMessageError(`another plan has the id ${checked.plan.plan_id}`);
  }

  #tell({ planId, event }: NewsOfPlan): Promise<void> {
    return this.#client.tell(planId, event);
  }

  async #undoAgain(letter: StoredDeadLetter, state: PlanState, by: string): Promise<RetryOutcome> {
    const { planId, ticketId } = letter;
    const retriedAs = compensationIdOf(ticketId);
    if (letter.retriedAs !== null) return { kind: 'done', retriedAs: letter.retriedAs, state };
    const event: PlanEvent = { type: 'retried', atMs: this.#options.clock.now(), ticketId, by };
    const { refusal } = await this.#client.wish(planId, event);
    if (refusal !== null) return { kind: 'refused', reason: refusal };
    return { kind: 'done', retriedAs, state: (await this.find(planId)) ?? state };
  }

  async #runAgain(letter: StoredDeadLetter, before: PlanState, by: string): Promise<RetryOutcome> {
    const { pool, store } = this.#options;
    const rerun = rerunOf(before);
    if (rerun === undefined)
      return { kind: 'refused', reason: 'the id of its plan leaves no room for that of a rerun' };
    const outcome = await this.submit(rerun.plan, by, rerun.decision);
    const retriedAs = rerun.plan.plan_id;
    if (outcome.kind === 'conflict') return { kind: 'refused', reason: `there is another plan ${retriedAs}` };
    const { ticketId, planId } = letter;
    if (await store.markRetried(ticketId, { as: retriedAs, by })) {
      await inTransaction(pool, (client) =>
        recordAudit(client, planId, 'retry', by, { ticket_id: ticketId, retried_as: retriedAs }),
      );
    }
    return { kind: 'done', retriedAs, state: outcome.state };
  }

  /** Starts what is stored and not started; what runs already is left as it is. */
  async #sweep(): Promise<void> {
    const { clock, log, store } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        let page = await store.activeAfter('', SWEEP_PAGE);
        while (page.length > 0 && !signal.aborted) {
          for (const planId of page) if (!signal.aborted) await this.#client.start(planId);
          page = await store.activeAfter(page.at(-1) ?? '', SWEEP_PAGE);
        }
      } catch (error) {
        if (!signal.aborted) log?.warn({ error: messageOf(error) }, 'cannot look for plans to start; trying again');
      }
      await sleep(SWEEP_MS, { clock, signal }).catch(() => undefined);
    }
  }
}

/** A plan may be called "error", and an event of that name which nobody hears is thrown. */
function changeOf(planId: string): string {
  return `changed ${planId}`;
}

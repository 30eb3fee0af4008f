import { setTimeout as delay } from 'node:timers/promises';
import type { OrchestratorClient, PlanView, ProgressLine } from '../client/orchestrator-client.ts';
import { EXIT, Failure } from '../failure.ts';
import type { EndedPlan } from './verdict.ts';
import { type WorkPlan, workPlan } from './workload.ts';

/** So many plans are under way at most: a backlog would only wait. */
const OPEN_PLANS = 10;
const BETWEEN_PLANS_MS = 250;
const POLL_MS = 500;
const RETRY_MS = 300;
const LISTED_PLANS = '1000';

export interface PlanStreamOptions {
  readonly orchestrator: OrchestratorClient;
  readonly seed: number;
  /** Makes the ids of this run's plans its own. */
  readonly run: string;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Submits plans one after another, and wishes of them what their shape says. An unreachable orchestrator is asked again. */
export class PlanStream {
  readonly #options: PlanStreamOptions;
  readonly #open = new Set<string>();
  readonly #accepted: WorkPlan[] = [];
  readonly #wishing = new Set<Promise<void>>();

  constructor(options: PlanStreamOptions) {
    this.#options = options;
  }

  get submitted(): number {
    return this.#accepted.length;
  }

  /** Submits until `until` is aborted, and waits until every wish was taken. */
  async run(until: AbortSignal): Promise<void> {
    const { seed, run, signal } = this.#options;
    for (let index = 0; !until.aborted; index += 1) {
      while (this.#open.size >= OPEN_PLANS && !until.aborted) {
        await delay(POLL_MS, undefined, { signal });
        await this.#look();
      }
      if (until.aborted) break;
      const work = workPlan(seed, index, run);
      await this.#insist(() => this.#options.orchestrator.submit(work.plan));
      this.#accepted.push(work);
      this.#open.add(work.plan.plan_id);
      const wishing: Promise<void> = this.#wish(work).finally(() => this.#wishing.delete(wishing));
      this.#wishing.add(wishing);
      await delay(BETWEEN_PLANS_MS, undefined, { signal });
    }
    await Promise.all(this.#wishing);
  }

  /** Waits until every plan is final. False when `limitMs` was not enough. */
  async settle(limitMs: number): Promise<boolean> {
    for (const endMs = performance.now() + limitMs; ; await delay(POLL_MS, undefined, this.#options)) {
      await this.#look();
      if (this.#open.size === 0) return true;
      if (performance.now() > endMs) return false;
    }
  }

  /** Every plan as the platform knows it now, with what it told about it. */
  async collect(): Promise<readonly EndedPlan[]> {
    const { orchestrator } = this.#options;
    const plans: EndedPlan[] = [];
    for (const { plan } of this.#accepted) {
      const view = await this.#insist(() => orchestrator.show(plan.plan_id));
      plans.push({ view, progress: view.final ? await this.#progressOf(view) : [] });
    }
    return plans;
  }

  /** Has every undo that was given up tried again, as an operator does. Answers how many there were. */
  async retryUndos(): Promise<number> {
    const { orchestrator, onLine } = this.#options;
    const letters = await this.#insist(() => orchestrator.deadLetters({ limit: LISTED_PLANS }));
    const undos = letters.filter(({ compensates }) => compensates !== null);
    for (const { ticketId, planId, errorClass, errorMessage } of undos) {
      onLine(`an undo in ${planId} was given up (${errorClass}: ${errorMessage}): it is tried again`);
      await this.#insist(() => orchestrator.retryDeadLetter(ticketId));
      this.#open.add(planId);
    }
    return undos.length;
  }

  async #progressOf({ id }: PlanView): Promise<readonly ProgressLine[]> {
    const lines: ProgressLine[] = [];
    for await (const line of this.#options.orchestrator.progress(id, this.#options.signal)) lines.push(line);
    return lines;
  }

  async #look(): Promise<void> {
    const { orchestrator } = this.#options;
    const listed = await this.#insist(() => orchestrator.list({ limit: LISTED_PLANS }));
    for (const { id, final } of listed) if (final) this.#open.delete(id);
    const known = new Set(listed.map(({ id }) => id));
    for (const id of this.#open) {
      if (known.has(id)) continue;
      if ((await this.#insist(() => orchestrator.show(id))).final) this.#open.delete(id);
    }
  }

  async #wish({ plan, wishes }: WorkPlan): Promise<void> {
    const { orchestrator, signal, onLine } = this.#options;
    const startedMs = performance.now();
    for (const { verb, afterMs } of wishes) {
      await delay(Math.max(0, startedMs + afterMs - performance.now()), undefined, { signal });
      try {
        await this.#insist(() => orchestrator.decide(plan.plan_id, verb));
      } catch (error) {
        // It was over before anybody could wish anything of it.
        if (!(error instanceof Failure) || error.exitCode !== EXIT.badInput) throw error;
        const { status } = await this.#insist(() => orchestrator.show(plan.plan_id));
        onLine(`${verb} of ${plan.plan_id} was refused: it is ${status}`);
      }
    }
  }

  /** Repeats while nobody answers. A refusal is an answer. */
  async #insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const answered = error instanceof Failure && error.exitCode !== EXIT.environment;
        if (answered || this.#options.signal.aborted) throw error;
        await delay(RETRY_MS, undefined, { signal: this.#options.signal });
      }
    }
  }
}

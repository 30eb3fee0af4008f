import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineSignal,
  defineUpdate,
  log,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { neededAbilities } from '../../domain/needed-abilities.ts';
import type { PlanCommand } from '../../domain/plan-command.ts';
import type { PlanEvent } from '../../domain/plan-event.ts';
import { Alarm } from './alarm.ts';
import {
  isEventOfPlan,
  NEWS_SIGNAL,
  type PlanActivities,
  type PlanInput,
  type PlanOutcome,
  WISH_UPDATE,
  type WishAnswer,
} from './plan-messages.ts';
import { isOutward, PlanRun } from './plan-run.ts';
import { isOversized, stepsOf } from './plan-step.ts';

// Both are repeated until they have succeeded: what they do is the same however often it is done.
const RETRY = { initialInterval: '200ms', maximumInterval: '5s', backoffCoefficient: 2 };
const { carryOut, loadHead, loadTickets } = proxyActivities<PlanActivities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '10s',
  retry: RETRY,
});
const { admit } = proxyActivities<PlanActivities>({
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '10s',
  retry: RETRY,
});

const news = defineSignal<[unknown]>(NEWS_SIGNAL);
const wish = defineUpdate<WishAnswer, [unknown]>(WISH_UPDATE);

/** A run goes on as a new one after so much history of its own; what it loaded at the start does not count. */
const MAX_EVENTS = 4_000;
const MAX_HISTORY_BYTES = 8 * 1024 * 1024;
/** Events are kept together, up to so many, for one trip to the store. */
const MAX_BATCH = 100;

interface Arrival {
  readonly event: PlanEvent;
  readonly answer?: (answer: WishAnswer) => void;
}

/**
 * Runs one plan: next event, decide, carry out, keep. The plan is loaded from the store, so that a run may begin anywhere:
 * the first, one that goes on for another, one that undoes again after the end.
 */
export async function runPlan(input: PlanInput): Promise<PlanOutcome> {
  const { planId } = input;
  const inbox: Arrival[] = [];
  setHandler(news, (event) => {
    if (isEventOfPlan(event)) inbox.push({ event });
    else log.warn('something arrived that is no event of a plan', { planId });
  });
  setHandler(wish, (event) => {
    if (!isEventOfPlan(event)) return Promise.resolve({ refusal: 'it is no event of a plan' });
    return new Promise((answer) => inbox.push({ event, answer }));
  });
  const plan = await PlanInWork.load(input, inbox);
  return plan === undefined ? 'UNKNOWN' : plan.live();
}

class PlanInWork {
  readonly #input: PlanInput;
  readonly #run: PlanRun;
  readonly #inbox: Arrival[];
  readonly #alarm = new Alarm();
  readonly #begun = workflowInfo();
  #admitting = false;

  private constructor(input: PlanInput, run: PlanRun, inbox: Arrival[]) {
    this.#input = input;
    this.#run = run;
    this.#inbox = inbox;
  }

  static async load(input: PlanInput, inbox: Arrival[]): Promise<PlanInWork | undefined> {
    const { planId } = input;
    const head = await loadHead({ planId });
    if (head === null) return undefined;
    const tickets = [];
    for (;;) {
      const page = await loadTickets({ planId, from: tickets.length });
      if (page.length === 0) break;
      tickets.push(...page);
    }
    return new PlanInWork(input, new PlanRun(head, tickets), inbox);
  }

  async live(): Promise<PlanOutcome> {
    const run = this.#run;
    const arrived = (): boolean => this.#inbox.length > 0;
    for (;;) {
      if (!arrived()) this.#ring();
      if (arrived()) {
        await this.#work();
        continue;
      }
      if (run.state.status === 'ADMITTING' && !this.#admitting) this.#admit();
      if (run.ended && allHandlersFinished()) return run.state.status;
      if (run.ended) await condition(() => arrived() || allHandlersFinished());
      else if (this.#isFull() && allHandlersFinished()) await continueAsNew<typeof runPlan>(this.#input);
      else await this.#alarm.wait(run.timers.earliestMs(), arrived);
    }
  }

  /** Timers come after what has arrived: who finished in time is heard first. */
  #ring(): void {
    const atMs = Date.now();
    for (const timerId of this.#run.timers.takeDue(atMs)) this.#inbox.push({ event: { type: 'timer', atMs, timerId } });
  }

  /** Beside the events, because somebody may cancel meanwhile. */
  #admit(): void {
    this.#admitting = true;
    const ask = async (): Promise<void> => {
      const answer = await admit(neededAbilities(this.#run.state));
      const atMs = Date.now();
      this.#admitting = false;
      if (answer.kind === 'able') this.#inbox.push({ event: { type: 'admitted', atMs, warning: answer.warning } });
      else this.#inbox.push({ event: { type: 'unable', atMs, reason: answer.reason } });
    };
    void ask();
  }

  #isFull(): boolean {
    if (this.#admitting) return false;
    const { historyLength, historySize } = workflowInfo();
    const own = historyLength - this.#begun.historyLength;
    return own > (this.#input.maxEvents ?? MAX_EVENTS) || historySize - this.#begun.historySize > MAX_HISTORY_BYTES;
  }

  async #work(): Promise<void> {
    const answers: (() => void)[] = [];
    for (let taken = 0; taken < MAX_BATCH; taken += 1) {
      const arrival = this.#inbox.shift();
      if (arrival === undefined) break;
      const refusal = await this.#handle(arrival.event);
      answers.push(() => arrival.answer?.({ refusal }));
    }
    await this.#keep();
    for (const answer of answers) answer();
  }

  /** Answers why the event is not possible now, or null. */
  async #handle(event: PlanEvent): Promise<string | null> {
    for (;;) {
      const decision = this.#consider(event);
      if (decision === undefined) return null;
      if (typeof decision === 'string') return decision;
      if (!decision.commands.some(({ type }) => type === 'cancelTicket')) {
        this.#run.accept(event, decision);
        return null;
      }
      // Calling off is tried before it is believed: what a worker did meanwhile must be known first.
      await this.#keep();
      const meanwhile = await this.#try(decision.commands);
      if (meanwhile === undefined) {
        this.#run.accept(event, decision, { carriedOut: true });
        return null;
      }
      await this.#handle(meanwhile);
    }
  }

  /** A decision, why there is none, or undefined when the event was applied already. */
  #consider(event: PlanEvent) {
    try {
      const decision = this.#run.consider(event);
      return decision?.refusal ?? decision;
    } catch (error) {
      // One bad event must not keep a plan from its end.
      log.error('an event could not be applied and is left out', { type: event.type, error: String(error) });
      return 'the event could not be applied';
    }
  }

  async #try(commands: readonly PlanCommand[]): Promise<PlanEvent | undefined> {
    const items = commands.filter(isOutward).map((command) => ({ kind: 'command', command }) as const);
    for (const step of stepsOf({ planId: this.#input.planId, seq: 0 }, items, null)) {
      const { meanwhile, undeliverable } = await carryOut(step);
      for (const { ticketId, reason } of undeliverable) this.#fail(ticketId, reason);
      if (meanwhile !== null) return meanwhile;
    }
    return undefined;
  }

  /** Carries out and keeps what was accepted. */
  async #keep(): Promise<void> {
    for (const step of this.#run.takeSteps()) {
      const tooLarge = isOversized(step);
      if (tooLarge !== undefined) {
        this.#fail(tooLarge, 'the ticket, with what its dependencies came to, is too large to travel');
        continue;
      }
      const { undeliverable } = await carryOut(step);
      for (const { ticketId, reason } of undeliverable) this.#fail(ticketId, reason);
    }
  }

  /** An attempt that never reached a worker has failed for good. */
  #fail(ticketId: string, errorMessage: string): void {
    const fencingToken = (this.#run.state.tickets.get(ticketId)?.fencingToken ?? 0) + 1;
    const failed = { status: 'FAILED', errorClass: 'parameters', errorMessage, ...NOTHING } as const;
    this.#inbox.push({ event: { type: 'result', atMs: Date.now(), ticketId, fencingToken, outcome: failed } });
  }
}

const NOTHING = {
  output: {},
  outputReference: null,
  logs: [],
  agentId: 'orchestrator-dynamic',
  spiffeId: null,
} as const;

import type { CognitivePlan, ConsolidatedDecision, ErrorClass } from '@neural-hive/contracts';
import {
  type AttemptOutcome,
  DEFAULT_POLICY,
  type DeadLetter,
  type Decision,
  decide,
  directDecision,
  type ExecutionPolicy,
  type PlanEvent,
  type PlanState,
} from '../domain/index.ts';

/** Distributes over the union, so that each kind of event keeps its members. */
type Untimed<Event> = Event extends PlanEvent ? Omit<Event, 'atMs'> : never;

/** What the transport and the timers of a plan hold, kept in memory, with a clock that moves by events. */
export class PlanSimulation {
  readonly queued = new Set<string>();
  readonly claimed = new Map<string, number>();
  readonly timers = new Map<string, number>();
  /** `<ticket id>:<retry count>` of every publication. */
  readonly publications: string[] = [];
  readonly events: PlanEvent[] = [];
  readonly buried: DeadLetter[] = [];
  /** Whether the transport hands out tickets of this plan. */
  paused = false;
  state: PlanState | undefined;
  nowMs = 10_000;
  /** Hears every decision after the submission. */
  onDecision: (decision: Decision, event: PlanEvent) => void = () => undefined;
  #fencing = 0;

  constructor(
    plan: CognitivePlan,
    options: { decision?: ConsolidatedDecision; policy?: Partial<ExecutionPolicy> } = {},
  ) {
    const { decision = directDecision(plan, 'spiffe://neural-hive.local/operator', this.nowMs), policy } = options;
    this.apply({
      type: 'submitted',
      plan,
      decision,
      by: 'spiffe://neural-hive.local/operator',
      policy: { ...DEFAULT_POLICY, ...policy },
    });
  }

  get now(): PlanState {
    if (this.state === undefined) throw new Error('nothing was submitted');
    return this.state;
  }

  apply(event: Untimed<PlanEvent>): Decision {
    this.nowMs += 1;
    const timed: PlanEvent = { ...event, atMs: this.nowMs };
    const decision = decide(this.state, timed);
    this.events.push(timed);
    this.state = decision.state;
    this.onDecision(decision, timed);
    for (const command of decision.commands) {
      switch (command.type) {
        case 'publishTicket':
          this.publications.push(`${command.ticket.ticket_id}:${command.ticket.retry_count}`);
          this.queued.add(command.ticket.ticket_id);
          break;
        case 'cancelTicket':
          this.queued.delete(command.ticketId);
          this.claimed.delete(command.ticketId);
          break;
        case 'setTimer':
          this.timers.set(command.timerId, command.fireAtMs);
          break;
        case 'clearTimer':
          this.timers.delete(command.timerId);
          break;
        case 'finishPlan':
          this.timers.clear();
          this.paused = false;
          break;
        case 'pausePlan':
          this.paused = true;
          break;
        case 'resumePlan':
          this.paused = false;
          break;
        case 'buryTicket':
          this.buried.push(command.letter);
          break;
        case 'postponeTicket':
        case 'admit':
          break;
      }
    }
    return decision;
  }

  admit(): Decision {
    return this.apply({ type: 'admitted', warning: null });
  }

  claim(ticketId: string, options: { takeover?: boolean } = {}): number {
    if (this.paused) throw new Error('nobody claims tickets of a paused plan');
    this.queued.delete(ticketId);
    this.#fencing += 1;
    this.claimed.set(ticketId, this.#fencing);
    const { takeover = false } = options;
    this.apply({ type: 'claimed', ticketId, fencingToken: this.#fencing, agentId: 'agent', takeover });
    return this.#fencing;
  }

  finish(ticketId: string, outcome: Partial<AttemptOutcome> = {}): Decision {
    const fencingToken = this.claimed.get(ticketId);
    if (fencingToken === undefined) throw new Error(`${ticketId} is not claimed`);
    this.claimed.delete(ticketId);
    return this.apply({ type: 'result', ticketId, fencingToken, outcome: { ...COMPLETED, ...outcome } });
  }

  fail(ticketId: string, errorClass: ErrorClass = 'execution'): Decision {
    return this.finish(ticketId, { status: 'FAILED', errorClass, errorMessage: 'no' });
  }

  /** Lets the earliest timer fire. */
  fire(timerId: string): Decision {
    const fireAtMs = this.timers.get(timerId);
    if (fireAtMs === undefined) throw new Error(`no timer ${timerId}`);
    this.timers.delete(timerId);
    this.nowMs = Math.max(this.nowMs, fireAtMs);
    return this.apply({ type: 'timer', timerId });
  }
}

const COMPLETED: AttemptOutcome = {
  status: 'COMPLETED',
  output: {},
  outputReference: null,
  errorClass: null,
  errorMessage: null,
  logs: [],
  agentId: 'agent',
  spiffeId: 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/worker-agents',
};

import { decide } from '../../domain/decide.ts';
import type { PlanCommand } from '../../domain/plan-command.ts';
import type { PlanEvent } from '../../domain/plan-event.ts';
import { progressOf } from '../../domain/plan-progress.ts';
import { isFinal, type PlanState } from '../../domain/plan-state.ts';
import type { Decision } from '../../domain/plan-turn.ts';
import { telemetryOf } from '../../domain/telemetry-event.ts';
import { compensationIdOf } from '../../domain/ticket-id.ts';
import type { HeadRecord, StoredHead, TicketRecord } from '../../ports/plan-store.ts';
import { type AuditLine, type PlanStep, type StepItem, stepsOf } from './plan-step.ts';
import { TimerTable } from './timer-table.ts';

/**
 * A plan under way, between its events and what has to be carried out and kept because of them. Pure: imports nothing
 * but the domain, so that it runs within a workflow.
 */
export class PlanRun {
  #state: PlanState;
  #seq: number;
  #told: number;
  readonly timers: TimerTable;
  readonly #resultTokens = new Map<string, number>();
  readonly #positions = new Map<string, number>();
  readonly #changed = new Set<string>();
  #headChanged = false;
  #commands: StepItem[] = [];
  #notes: StepItem[] = [];

  constructor({ plan, decision, head, timers, told, seq }: StoredHead, tickets: readonly TicketRecord[]) {
    this.#state = { ...head, plan, decision, tickets: new Map(tickets.map(({ state }) => [state.ticketId, state])) };
    this.#seq = seq;
    this.#told = told;
    this.timers = new TimerTable([...timers, ...tickets.flatMap((ticket) => ticket.timers)]);
    for (const { state, resultToken, position } of tickets) {
      if (resultToken > 0) this.#resultTokens.set(state.ticketId, resultToken);
      this.#positions.set(state.ticketId, position);
    }
  }

  /** A plan that was submitted just now, before anything of it is kept. */
  static begin(first: Decision, event: PlanEvent): PlanRun {
    const { plan, decision, tickets, ...head } = first.state;
    const run = new PlanRun({ plan, decision, head, timers: [], told: 0, seq: 0 }, []);
    run.#take(undefined, event, first);
    return run;
  }

  get state(): PlanState {
    return this.#state;
  }

  get ended(): boolean {
    return isFinal(this.#state.status);
  }

  /** Whether something has been accepted that no step was made of. */
  get hasNews(): boolean {
    return this.#headChanged || this.#changed.size > 0 || this.#commands.length > 0 || this.#notes.length > 0;
  }

  /** What the event means now. Undefined for a result that was applied already. */
  consider(event: PlanEvent): Decision | undefined {
    if (event.type === 'result' && event.fencingToken <= (this.#resultTokens.get(event.ticketId) ?? 0))
      return undefined;
    return decide(this.#state, event);
  }

  /** Goes on with what was decided about the event. `carriedOut`: the commands for the activities have been already. */
  accept(event: PlanEvent, decision: Decision, { carriedOut = false } = {}): void {
    if (decision.state === this.#state && decision.commands.length === 0) return;
    this.#take(this.#state, event, decision, carriedOut);
  }

  /** The steps that carry out and keep everything accepted since the last call. */
  takeSteps(): readonly PlanStep[] {
    if (!this.hasNews) return [];
    this.#seq += 1;
    for (const ticketId of this.timers.takeTouched()) if (ticketId !== '') this.#changed.add(ticketId);
    const tickets = [...this.#changed].flatMap((ticketId) => this.#recordOf(ticketId));
    const items: StepItem[] = [
      ...this.#commands,
      ...tickets.map((ticket): StepItem => ({ kind: 'ticket', ticket })),
      ...this.#notes.map((note, index) => this.#keyed(note, index)),
    ];
    this.#changed.clear();
    this.#headChanged = false;
    this.#commands = [];
    this.#notes = [];
    return stepsOf({ planId: this.#state.plan.plan_id, seq: this.#seq }, items, this.headRecord());
  }

  headRecord(): HeadRecord {
    const { plan: _plan, decision: _decision, tickets: _tickets, ...head } = this.#state;
    return { head, timers: this.timers.of(''), told: this.#told };
  }

  #recordOf(ticketId: string): TicketRecord[] {
    const state = this.#state.tickets.get(ticketId);
    if (state === undefined) return [];
    const position = this.#positions.get(ticketId) ?? 0;
    const resultToken = this.#resultTokens.get(ticketId) ?? 0;
    return [{ position, state, timers: this.timers.of(ticketId), resultToken }];
  }

  /** What is told to others gets a key by its place among what one save tells. */
  #keyed(note: StepItem, index: number): StepItem {
    const key = `${this.#state.plan.plan_id}/${this.#seq}/${index}`;
    if (note.kind === 'telemetry') return { kind: 'telemetry', telemetry: { ...note.telemetry, key } };
    if (note.kind === 'audit') return { kind: 'audit', audit: { ...note.audit, key } };
    return note;
  }

  #take(before: PlanState | undefined, event: PlanEvent, decision: Decision, carriedOut = false): void {
    this.#state = decision.state;
    this.#headChanged ||= decision.state !== before;
    for (const command of decision.commands) {
      this.#settle(command);
      if (!carriedOut && isOutward(command)) this.#commands.push({ kind: 'command', command });
    }
    for (const ticketId of decision.changed) {
      this.#changed.add(ticketId);
      if (!this.#positions.has(ticketId)) this.#positions.set(ticketId, this.#positions.size);
    }
    if (event.type === 'result') this.#resultTokens.set(event.ticketId, event.fencingToken);
    for (const line of progressOf(before, decision, event)) {
      this.#told += 1;
      this.#notes.push({ kind: 'progress', progress: { seq: this.#told, line } });
    }
    for (const told of telemetryOf(before, decision, event)) {
      this.#notes.push({ kind: 'telemetry', telemetry: { key: '', event: told } });
    }
    this.#note(before, event, decision);
  }

  #settle(command: PlanCommand): void {
    if (command.type === 'setTimer') this.timers.set(command.timerId, command.fireAtMs);
    if (command.type === 'clearTimer') this.timers.clear(command.timerId);
    if (command.type === 'finishPlan') this.timers.clearAll();
  }

  #note(before: PlanState | undefined, event: PlanEvent, { state, changed }: Decision): void {
    const counts = this.#notes;
    counts.push({ kind: 'count', count: { type: 'event', event: event.type } });
    for (const ticketId of changed) {
      const ticket = state.tickets.get(ticketId);
      if (ticket?.stage !== 'ended' || before?.tickets.get(ticketId)?.stage === 'ended') continue;
      const { taskType, status } = ticket;
      counts.push({ kind: 'count', count: { type: 'ticket', taskType, status } });
    }
    if (isFinal(state.status) && before?.status !== state.status) {
      const durationMs = (state.endedAtMs ?? state.submittedAtMs) - state.submittedAtMs;
      counts.push({ kind: 'count', count: { type: 'plan', status: state.status, durationMs } });
    }
    const audit = auditOf(event);
    if (audit !== undefined) this.#notes.push({ kind: 'audit', audit });
    if (event.type === 'retried') {
      const { ticketId, by } = event;
      this.#notes.push({ kind: 'retried', retried: { ticketId, by, as: compensationIdOf(ticketId) } });
    }
  }
}

/** Timers are the run's own business; that the plan waits for admission is in its status. Everything else is for the activities. */
export function isOutward({ type }: PlanCommand): boolean {
  return type !== 'setTimer' && type !== 'clearTimer' && type !== 'admit';
}

const ACTIONS = {
  approved: 'approve',
  rejected: 'reject',
  cancel: 'cancel',
  pause: 'pause',
  resume: 'resume',
} as const;

/** What a person had done; what happened by itself leaves no trail. */
function auditOf(event: PlanEvent): AuditLine | undefined {
  switch (event.type) {
    case 'approved':
    case 'rejected':
      return line(ACTIONS[event.type], event.by, textOf(event.comment));
    case 'cancel':
      return line('cancel', event.by, textOf(event.reason));
    case 'pause':
    case 'resume':
      return line(event.type, event.by, {});
    case 'retried':
      return line('retry', event.by, { ticket_id: event.ticketId, retried_as: compensationIdOf(event.ticketId) });
    default:
      return undefined;
  }
}

function line(action: AuditLine['action'], by: string, detail: AuditLine['detail']): AuditLine {
  return { key: '', action, by, detail };
}

function textOf(text: string | null): Readonly<Record<string, string>> {
  return text === null ? {} : { text };
}

import type { TaskNode, TicketStatus } from '@neural-hive/contracts';
import { estimateMsOf } from './execution-ticket.ts';
import type { PlanCommand } from './plan-command.ts';
import { dependentsOf, longestPaths } from './plan-graph.ts';
import { type FinalPlanStatus, isFinal, type PlanState, type TicketState } from './plan-state.ts';
import { ticketIdOf } from './ticket-id.ts';
import { mayChange } from './ticket-status.ts';

export interface Decision {
  readonly state: PlanState;
  readonly commands: readonly PlanCommand[];
  /** The tickets that differ from before. */
  readonly changed: readonly string[];
  /** Why the event is not possible now; the state is then the one before. Only people's wishes are refused. */
  readonly refusal: string | null;
}

type Head = Omit<PlanState, 'tickets'>;

interface PlanIndex {
  readonly ticketIds: ReadonlyMap<string, string>;
  readonly tasks: ReadonlyMap<string, TaskNode>;
  readonly dependents: ReadonlyMap<string, readonly TaskNode[]>;
  /** How long what begins with a task takes at least. In milliseconds. */
  readonly pathMs: ReadonlyMap<string, number>;
}

/** Derived from the plan alone, which never changes; kept so that an event costs what it touches. */
const indexes = new WeakMap<object, PlanIndex>();

function indexOf(plan: PlanState['plan']): PlanIndex {
  const known = indexes.get(plan);
  if (known !== undefined) return known;
  const index = {
    ticketIds: new Map(plan.tasks.map(({ task_id: taskId }) => [taskId, ticketIdOf(plan.plan_id, taskId)])),
    tasks: new Map(plan.tasks.map((task) => [task.task_id, task])),
    dependents: dependentsOf(plan.tasks),
    pathMs: longestPaths(plan.tasks, estimateMsOf),
  };
  indexes.set(plan, index);
  return index;
}

/** One step of the reducer in the making: changes and commands are collected here, the state before stays as it was. */
export class PlanTurn {
  readonly #before: PlanState;
  readonly #changed = new Map<string, TicketState>();
  readonly #commands: PlanCommand[] = [];
  readonly atMs: number;
  #head: Head;

  constructor(before: PlanState, atMs: number) {
    this.#before = before;
    this.#head = before;
    this.atMs = atMs;
  }

  get head(): Head {
    return this.#head;
  }

  get index(): PlanIndex {
    return indexOf(this.#head.plan);
  }

  set(patch: Partial<Head>): void {
    this.#head = { ...this.#head, ...patch };
  }

  ticket(ticketId: string): TicketState | undefined {
    return this.#changed.get(ticketId) ?? this.#before.tickets.get(ticketId);
  }

  ticketOf(taskId: string): TicketState | undefined {
    return this.ticket(this.index.ticketIds.get(taskId) ?? '');
  }

  *tickets(): Generator<TicketState> {
    for (const [ticketId, ticket] of this.#before.tickets) yield this.#changed.get(ticketId) ?? ticket;
    for (const [ticketId, ticket] of this.#changed) if (!this.#before.tickets.has(ticketId)) yield ticket;
  }

  add(ticket: TicketState): void {
    this.#changed.set(ticket.ticketId, ticket);
  }

  /** Changes a ticket; a status that may not follow the present one is a fault of the reducer. */
  change(ticket: TicketState, patch: Partial<Omit<TicketState, 'ticketId'>>): TicketState {
    if (patch.status !== undefined && patch.status !== ticket.status) assertChange(ticket, patch.status);
    const next = { ...ticket, ...patch };
    this.#changed.set(ticket.ticketId, next);
    return next;
  }

  emit(command: PlanCommand): void {
    this.#commands.push(command);
  }

  finish(status: FinalPlanStatus): void {
    this.set({ status, endedAtMs: this.atMs });
    this.emit({ type: 'finishPlan', status });
  }

  get ended(): boolean {
    return isFinal(this.#head.status);
  }

  /** The state with every change so far. */
  get state(): PlanState {
    if (this.#changed.size === 0) return { ...this.#head, tickets: this.#before.tickets };
    return { ...this.#head, tickets: new Map([...this.#before.tickets, ...this.#changed]) };
  }

  decision(): Decision {
    const unchanged = this.#changed.size === 0 && this.#head === this.#before;
    return {
      state: unchanged ? this.#before : this.state,
      commands: this.#commands,
      changed: [...this.#changed.keys()],
      refusal: null,
    };
  }
}

function assertChange(ticket: TicketState, to: TicketStatus): void {
  if (mayChange(ticket.status, to)) return;
  throw new Error(`Ticket ${ticket.ticketId} is ${ticket.status} and may not become ${to}`);
}

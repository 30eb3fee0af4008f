import type { TaskType } from '@neural-hive/contracts';
import { ancestorsOf } from './plan-graph.ts';
import type { PlanFailure, TicketState } from './plan-state.ts';
import { UNTRIED } from './plan-state.ts';
import type { PlanTurn } from './plan-turn.ts';
import { deadlineTimerOf, publish, retryTimerOf } from './publishing.ts';
import { compensationIdOf } from './ticket-id.ts';

/** The types that always change something outside and therefore have an undo. */
export const COMPENSATED_TYPES: readonly TaskType[] = ['BUILD', 'DEPLOY'];

/**
 * Turns a plan towards its end: what has not run is cancelled; what runs is let finish after a failure, and stopped
 * on a wish, except a DEPLOY, which may be past its switch and must be known to the end to be undone.
 */
export function stop(turn: PlanTurn, outcome: 'FAILED' | 'CANCELLED', failure: PlanFailure | null): void {
  turn.set({ status: 'STOPPING', outcome, failure: turn.head.failure ?? failure });
  for (const ticket of [...turn.tickets()]) {
    if (ticket.status === 'PENDING') cancel(turn, ticket, false);
    if (ticket.status !== 'RUNNING') continue;
    if (ticket.stage !== 'published') cancel(turn, ticket, false);
    else if (outcome === 'CANCELLED' && ticket.taskType !== 'DEPLOY') cancel(turn, ticket, true);
  }
  settle(turn);
}

function cancel(turn: PlanTurn, ticket: TicketState, claimed: boolean): void {
  if (ticket.stage === 'published') turn.emit({ type: 'cancelTicket', ticketId: ticket.ticketId, claimed });
  if (ticket.stage === 'backoff') turn.emit({ type: 'clearTimer', timerId: retryTimerOf(ticket) });
  if (ticket.publishedAtMs !== null) turn.emit({ type: 'clearTimer', timerId: deadlineTimerOf(ticket.ticketId) });
  turn.change(ticket, { status: 'CANCELLED', stage: 'ended', endedAtMs: turn.atMs });
}

/** Goes on with stopping: waits for what runs, then undoes one ticket after another, then ends the plan. */
export function settle(turn: PlanTurn): void {
  const { outcome, paused, status } = turn.head;
  if (outcome === null || turn.ended) return;
  const tickets = [...turn.tickets()];
  if (tickets.some((ticket) => ticket.stage === 'published' || ticket.stage === 'backoff')) return;
  if (paused) return;
  const waiting = tickets.find((ticket) => ticket.compensates !== null && ticket.stage === 'waiting');
  const next = waiting === undefined ? nextToUndo(turn, tickets) : undefined;
  if (waiting === undefined && next === undefined) {
    turn.finish(outcome);
    return;
  }
  if (status !== 'COMPENSATING') turn.set({ status: 'COMPENSATING' });
  if (waiting !== undefined) publish(turn, waiting);
  else if (next !== undefined) compensate(turn, next);
}

/**
 * The newest completion that has an undo. What a ticket that could not be undone still stands on is left in place:
 * removing it would break what is there.
 */
function nextToUndo(turn: PlanTurn, tickets: readonly TicketState[]): TicketState | undefined {
  const kept = new Set<string>();
  for (const ticket of tickets) {
    if (ticket.status !== 'COMPENSATING') continue;
    for (const taskId of ancestorsOf(turn.head.plan.tasks, ticket.taskId)) kept.add(taskId);
  }
  let newest: TicketState | undefined;
  for (const ticket of tickets) {
    if (ticket.status !== 'COMPLETED' || ticket.compensates !== null || kept.has(ticket.taskId)) continue;
    if (!hasUndo(ticket)) continue;
    if ((ticket.completedOrder ?? 0) >= (newest?.completedOrder ?? 0)) newest = ticket;
  }
  return newest;
}

function compensate(turn: PlanTurn, ticket: TicketState): void {
  turn.change(ticket, { status: 'COMPENSATING' });
  addUndo(turn, ticket, compensationIdOf(ticket.ticketId));
}

/** Opens an ended plan again to undo what an undo that was given up has left in place, and what that stands on. */
export function undoAgain(turn: PlanTurn, failed: TicketState): void {
  const ticket = turn.ticket(failed.compensates ?? '');
  if (ticket === undefined) throw new Error(`Ticket ${failed.ticketId} undoes no ticket of the plan`);
  turn.set({ status: 'COMPENSATING', endedAtMs: null });
  addUndo(turn, ticket, compensationIdOf(failed.ticketId));
}

function addUndo(turn: PlanTurn, ticket: TicketState, ticketId: string): void {
  const undo: TicketState = {
    ...ticket,
    ticketId,
    taskType: 'COMPENSATE',
    compensates: ticket.ticketId,
    ...UNTRIED,
    maxRetries: turn.head.policy.compensationRetries,
  };
  turn.add(undo);
  publish(turn, undo);
}

/** A program that has an undo says so in its output. */
function hasUndo({ taskType, output }: TicketState): boolean {
  return COMPENSATED_TYPES.includes(taskType) || (taskType === 'EXECUTE' && output.undo !== undefined);
}

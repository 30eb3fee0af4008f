import { buildExecutionTicket, deadlineMsOf } from './execution-ticket.ts';
import type { TicketState } from './plan-state.ts';
import type { PlanTurn } from './plan-turn.ts';

export function deadlineTimerOf(ticketId: string): string {
  return `deadline:${ticketId}`;
}

export function retryTimerOf(ticket: TicketState): string {
  return `retry:${ticket.ticketId}:${ticket.retryCount}`;
}

/** Hands one attempt to the workers; the deadline starts with the first. */
export function publish(turn: PlanTurn, ticket: TicketState): void {
  const task = turn.index.tasks.get(ticket.taskId);
  if (task === undefined) throw new Error(`Ticket ${ticket.ticketId} belongs to no task of the plan`);
  const first = ticket.publishedAtMs === null;
  const publishedAtMs = ticket.publishedAtMs ?? turn.atMs;
  const published = turn.change(ticket, { stage: 'published', publishedAtMs });
  turn.emit({ type: 'publishTicket', ticket: buildExecutionTicket(turn.head, published, task, turn) });
  if (first) {
    const fireAtMs = deadlineMsOf(task, published, turn.head.policy, publishedAtMs);
    turn.emit({ type: 'setTimer', timerId: deadlineTimerOf(ticket.ticketId), fireAtMs });
  }
}

/** Publishes what may run among the plan's own tickets: nothing before its dependencies are COMPLETED. */
export function publishReady(turn: PlanTurn, candidates: Iterable<TicketState> = [...turn.tickets()]): void {
  if (turn.head.paused || turn.head.status !== 'RUNNING') return;
  for (const ticket of candidates) {
    if (ticket.stage === 'waiting' && ticket.compensates === null && isReady(turn, ticket)) publish(turn, ticket);
  }
}

/** Publishes what waited for this ticket alone. */
export function publishDependents(turn: PlanTurn, ticket: TicketState): void {
  const dependents = turn.index.dependents.get(ticket.taskId) ?? [];
  publishReady(
    turn,
    dependents.flatMap(({ task_id }) => turn.ticketOf(task_id) ?? []),
  );
}

function isReady(turn: PlanTurn, ticket: TicketState): boolean {
  const dependencies = turn.index.tasks.get(ticket.taskId)?.dependencies ?? [];
  return dependencies.every((taskId) => turn.ticketOf(taskId)?.status === 'COMPLETED');
}

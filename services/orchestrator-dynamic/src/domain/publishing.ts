import { buildExecutionTicket, deadlineMsOf } from './execution-ticket.ts';
import type { TicketState } from './plan-state.ts';
import type { PlanTurn } from './plan-turn.ts';

export function deadlineTimerOf(ticketId: string): string {
  return `deadline:${ticketId}`;
}

export function retryTimerOf(ticket: TicketState): string {
  return `retry:${ticket.ticketId}:${ticket.retryCount}`;
}

/** So that a plan whose paths are long does not keep those with short ones from the workers for longer. */
const MOST_PATH_MS = 900_000;

/** Hands one attempt to the workers; the deadline starts with the first. */
export function publish(turn: PlanTurn, ticket: TicketState): void {
  const task = turn.index.tasks.get(ticket.taskId);
  if (task === undefined) throw new Error(`Ticket ${ticket.ticketId} belongs to no task of the plan`);
  const first = ticket.publishedAtMs === null;
  const publishedAtMs = ticket.publishedAtMs ?? turn.atMs;
  const published = turn.change(ticket, { stage: 'published', publishedAtMs });
  // What is undone holds nothing up.
  const pathMs = ticket.compensates === null ? (turn.index.pathMs.get(ticket.taskId) ?? 0) : 0;
  turn.emit({
    type: 'publishTicket',
    ticket: buildExecutionTicket(turn.head, published, task, turn),
    rankMs: turn.atMs - Math.min(pathMs, MOST_PATH_MS),
  });
  if (first) {
    const fireAtMs = deadlineMsOf(task, published, turn.head.policy, publishedAtMs);
    turn.emit({ type: 'setTimer', timerId: deadlineTimerOf(ticket.ticketId), fireAtMs });
  }
}

/** Publishes what may run among the plan's own tickets: nothing before its dependencies are COMPLETED. */
export function publishReady(turn: PlanTurn, candidates: Iterable<TicketState> = [...turn.tickets()]): void {
  if (turn.head.paused || turn.head.status !== 'RUNNING') return;
  const { pathMs } = turn.index;
  const ready = [...candidates].filter(
    (ticket) => ticket.stage === 'waiting' && ticket.compensates === null && isReady(turn, ticket),
  );
  // The critical path first; what is as long stays in the plan's order.
  ready.sort((a, b) => (pathMs.get(b.taskId) ?? 0) - (pathMs.get(a.taskId) ?? 0));
  for (const ticket of ready) publish(turn, ticket);
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

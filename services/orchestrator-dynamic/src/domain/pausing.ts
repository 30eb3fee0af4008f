import { buildExecutionTicket, deadlineMsOf } from './execution-ticket.ts';
import type { TicketState } from './plan-state.ts';
import type { PlanTurn } from './plan-turn.ts';
import { deadlineTimerOf } from './publishing.ts';

/** Nothing of the plan is begun any more, and no deadline comes nearer; what runs already ends as it would have. */
export function pause(turn: PlanTurn): void {
  turn.set({ paused: true, pausedAtMs: turn.atMs });
  turn.emit({ type: 'pausePlan' });
  for (const { ticketId } of timed(turn)) turn.emit({ type: 'clearTimer', timerId: deadlineTimerOf(ticketId) });
}

/** Deadlines go on with what was left of them. What may be published now is for the caller to see. */
export function liftPause(turn: PlanTurn): void {
  const stoodStillMs = turn.atMs - (turn.head.pausedAtMs ?? turn.atMs);
  turn.set({ paused: false, pausedAtMs: null });
  for (const ticket of timed(turn)) postpone(turn, ticket, stoodStillMs);
  turn.emit({ type: 'resumePlan' });
}

/** Tickets whose deadline is running. */
function timed(turn: PlanTurn): readonly TicketState[] {
  return [...turn.tickets()].filter(({ publishedAtMs, stage }) => publishedAtMs !== null && stage !== 'ended');
}

function postpone(turn: PlanTurn, ticket: TicketState, byMs: number): void {
  const task = turn.index.tasks.get(ticket.taskId);
  if (task === undefined || ticket.publishedAtMs === null) return;
  const publishedAtMs = ticket.publishedAtMs + byMs;
  const postponed = turn.change(ticket, { publishedAtMs });
  if (postponed.stage === 'published') {
    turn.emit({ type: 'postponeTicket', ticket: buildExecutionTicket(turn.head, postponed, task, turn) });
  }
  const fireAtMs = deadlineMsOf(task, postponed, turn.head.policy, publishedAtMs);
  turn.emit({ type: 'setTimer', timerId: deadlineTimerOf(ticket.ticketId), fireAtMs });
}

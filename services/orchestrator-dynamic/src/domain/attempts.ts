import type { ErrorClass } from '@neural-hive/contracts';
import { deadLetterOf } from './dead-letter.ts';
import type { AttemptOutcome, PlanEventOf } from './plan-event.ts';
import type { TicketState } from './plan-state.ts';
import type { PlanTurn } from './plan-turn.ts';
import { deadlineTimerOf, publishDependents, publishReady, retryTimerOf } from './publishing.ts';
import { isWorthRetrying, retryDelayMs } from './retry.ts';
import { settle, stop } from './stopping.ts';

/** A worker took the ticket, for the first time or from a silent holder. */
export function onClaimed(turn: PlanTurn, event: PlanEventOf<'claimed'>): void {
  const ticket = turn.ticket(event.ticketId);
  if (ticket === undefined || ticket.stage !== 'published' || event.fencingToken <= ticket.fencingToken) return;
  const held = turn.change(ticket, {
    status: 'RUNNING',
    fencingToken: event.fencingToken,
    agentId: event.agentId,
    startedAtMs: ticket.startedAtMs ?? event.atMs,
    takeovers: ticket.takeovers + (event.takeover ? 1 : 0),
  });
  if (held.takeovers <= turn.head.policy.maxTakeovers) return;
  // By a timer, because timers come after results: this holder may have finished already.
  turn.emit({ type: 'setTimer', timerId: `exhausted:${ticket.ticketId}`, fireAtMs: turn.atMs });
}

/** An attempt ended. A result of an older claim than the newest, or of a ticket that ended, counts for nothing. */
export function onResult(turn: PlanTurn, event: PlanEventOf<'result'>): void {
  const ticket = turn.ticket(event.ticketId);
  if (ticket === undefined || ticket.stage !== 'published' || event.fencingToken < ticket.fencingToken) return;
  const { outcome } = event;
  const attempted = turn.change(ticket, {
    status: 'RUNNING',
    fencingToken: event.fencingToken,
    agentId: outcome.agentId,
    spiffeId: outcome.spiffeId,
    startedAtMs: ticket.startedAtMs ?? event.atMs,
  });
  if (outcome.status === 'COMPLETED') complete(turn, attempted, outcome);
  else retryOrFail(turn, attempted, outcome);
}

export function onTimer(turn: PlanTurn, timerId: string): void {
  const [kind, ticketId] = timerId.split(':');
  const ticket = turn.ticket(ticketId ?? '');
  if (ticket === undefined || ticket.stage === 'ended') return;
  if (kind === 'retry' && ticket.stage === 'backoff' && timerId === retryTimerOf(ticket)) {
    const due = turn.change(ticket, { stage: 'waiting' });
    if (turn.head.outcome === null) publishReady(turn, [due]);
    else settle(turn);
  }
  if (kind === 'exhausted' && ticket.stage === 'published') {
    giveUp(turn, ticket, 'crash', `${ticket.takeovers} holders of this ticket went silent: it is at fault itself`);
  }
  if (kind === 'deadline') giveUp(turn, ticket, 'timeout', 'the deadline passed before any attempt had completed');
}

function complete(turn: PlanTurn, ticket: TicketState, outcome: AttemptOutcome): void {
  const completed = turn.change(ticket, {
    status: 'COMPLETED',
    stage: 'ended',
    endedAtMs: turn.atMs,
    completedOrder: turn.head.completions + 1,
    output: outcome.output,
    outputReference: outcome.outputReference,
    errorClass: null,
    errorMessage: null,
    errorLogs: [],
  });
  turn.set({ completions: turn.head.completions + 1 });
  turn.emit({ type: 'clearTimer', timerId: deadlineTimerOf(ticket.ticketId) });
  const undone = completed.compensates === null ? undefined : turn.ticket(completed.compensates);
  if (undone !== undefined) turn.change(undone, { status: 'COMPENSATED' });
  if (turn.head.outcome !== null) settle(turn);
  else if (isComplete(turn)) turn.finish('COMPLETED');
  else publishDependents(turn, completed);
}

function isComplete(turn: PlanTurn): boolean {
  // Nothing else completes before the last: counting saves a pass over every ticket.
  return turn.head.completions === turn.head.plan.tasks.length;
}

function retryOrFail(turn: PlanTurn, ticket: TicketState, outcome: AttemptOutcome): void {
  const errorClass = outcome.errorClass ?? 'execution';
  const errorMessage = outcome.errorMessage ?? 'the worker gave no reason';
  const failed = turn.change(ticket, { errorClass, errorMessage, errorLogs: outcome.logs });
  // An undo is tried again whatever went wrong, save parameters that stay wrong; while stopping nothing else is.
  const undoing = failed.compensates !== null;
  const worthIt = undoing ? errorClass !== 'parameters' : turn.head.outcome === null && isWorthRetrying(errorClass);
  if (!worthIt || failed.retryCount >= failed.maxRetries) {
    // What is final at once is the plan's mistake or the program's answer; what was tried to the end is worth a look.
    if (worthIt || undoing) bury(turn, failed);
    fail(turn, failed, errorClass, errorMessage);
    return;
  }
  const retry = turn.change(failed, { stage: 'backoff', retryCount: failed.retryCount + 1 });
  const fireAtMs = turn.atMs + retryDelayMs(turn.head.policy, retry.ticketId, retry.retryCount);
  turn.emit({ type: 'setTimer', timerId: retryTimerOf(retry), fireAtMs });
}

/** Ends a ticket from this side; an attempt that still runs is fenced off. */
function giveUp(turn: PlanTurn, ticket: TicketState, errorClass: ErrorClass, errorMessage: string): void {
  if (ticket.stage === 'published') {
    turn.emit({ type: 'cancelTicket', ticketId: ticket.ticketId, claimed: ticket.status === 'RUNNING' });
  }
  if (ticket.stage === 'backoff') turn.emit({ type: 'clearTimer', timerId: retryTimerOf(ticket) });
  const failed = turn.change(ticket, { errorClass, errorMessage });
  bury(turn, failed);
  fail(turn, failed, errorClass, errorMessage);
}

function bury(turn: PlanTurn, ticket: TicketState): void {
  turn.emit({ type: 'buryTicket', letter: deadLetterOf(turn.head.plan.plan_id, ticket, turn.atMs) });
}

function fail(turn: PlanTurn, ticket: TicketState, errorClass: ErrorClass, message: string): void {
  // What never ran did not fail: the plan did.
  const status = ticket.status === 'PENDING' ? 'CANCELLED' : 'FAILED';
  turn.change(ticket, { status, stage: 'ended', endedAtMs: turn.atMs });
  turn.emit({ type: 'clearTimer', timerId: deadlineTimerOf(ticket.ticketId) });
  const { ticketId, taskId } = ticket;
  if (turn.head.outcome === null) stop(turn, 'FAILED', { ticketId, taskId, errorClass, message });
  else settle(turn);
}

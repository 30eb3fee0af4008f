import { approvalReasons } from './approval.ts';
import { onClaimed, onResult, onTimer } from './attempts.ts';
import { maxRetriesOf } from './execution-ticket.ts';
import { liftPause, pause } from './pausing.ts';
import type { PlanEvent, PlanEventOf } from './plan-event.ts';
import type { PlanState, PlanStatus, TicketState } from './plan-state.ts';
import { UNTRIED } from './plan-state.ts';
import { type Decision, PlanTurn } from './plan-turn.ts';
import { publishReady } from './publishing.ts';
import { settle, stop, undoAgain } from './stopping.ts';
import { ticketIdOf } from './ticket-id.ts';

const APPROVAL_TIMER = 'approval-expiry';

/**
 * The whole life of a plan: the state after `event` and what has to be done about it. Pure; the same events in the
 * same order always give the same states. `state` is undefined before `submitted`. An event that changes nothing
 * answers the same state object; a wish that is not possible now answers a `refusal`.
 */
export function decide(state: PlanState | undefined, event: PlanEvent): Decision {
  if (state === undefined) {
    if (event.type !== 'submitted') throw new TypeError(`event ${event.type} came before the plan was submitted`);
    return onSubmitted(event);
  }
  const turn = new PlanTurn(state, event.atMs);
  const refusal = turn.ended && event.type !== 'retried' ? endedRefusal(state, event) : apply(turn, event);
  return refusal === null ? turn.decision() : { state, commands: [], changed: [], refusal };
}

function endedRefusal(state: PlanState, event: PlanEvent): string | null {
  const wish = 'by' in event && event.type !== 'submitted';
  return wish ? `the plan has ended: it is ${state.status}` : null;
}

function apply(turn: PlanTurn, event: PlanEvent): string | null {
  switch (event.type) {
    case 'submitted':
      return null;
    case 'approved':
    case 'rejected':
      return onVerdict(turn, event);
    case 'admitted':
      return onAdmitted(turn, event);
    case 'unable':
      return onUnable(turn, event);
    case 'claimed':
      onClaimed(turn, event);
      return null;
    case 'result':
      onResult(turn, event);
      return null;
    case 'timer':
      if (event.timerId === APPROVAL_TIMER) onApprovalExpired(turn);
      else onTimer(turn, event.timerId);
      return null;
    case 'cancel':
      return onCancel(turn);
    case 'pause':
      if (!turn.head.paused) pause(turn);
      return null;
    case 'resume':
      return onResume(turn);
    case 'retried':
      return onRetried(turn, event);
  }
}

function onSubmitted(event: PlanEventOf<'submitted'>): Decision {
  const { plan, decision } = event;
  const reasons = approvalReasons(plan, decision);
  const turn = new PlanTurn(
    {
      plan,
      decision,
      policy: event.policy,
      submittedBy: event.by,
      submittedAtMs: event.atMs,
      status: 'AWAITING_APPROVAL',
      approval: {
        reasons,
        verdict: reasons.length > 0 ? 'pending' : 'not_required',
        by: null,
        atMs: null,
        comment: null,
      },
      paused: false,
      pausedAtMs: null,
      outcome: null,
      failure: null,
      warning: null,
      completions: 0,
      endedAtMs: null,
      tickets: new Map(),
    },
    event.atMs,
  );
  for (const task of plan.tasks) turn.add(newTicket(event, task.task_id, task.task_type));
  if (decision.final_decision === 'reject') endUnstarted(turn, 'REJECTED');
  else if (reasons.length === 0) start(turn);
  else {
    const ends = [plan.valid_until, decision.valid_until].filter((atMs) => atMs !== null);
    if (ends.length > 0) turn.emit({ type: 'setTimer', timerId: APPROVAL_TIMER, fireAtMs: Math.min(...ends) });
  }
  return turn.decision();
}

function newTicket({ plan }: PlanEventOf<'submitted'>, taskId: string, taskType: TicketState['taskType']): TicketState {
  return {
    ticketId: ticketIdOf(plan.plan_id, taskId),
    taskId,
    taskType,
    compensates: null,
    ...UNTRIED,
    maxRetries: maxRetriesOf(plan.risk_band),
  };
}

function start(turn: PlanTurn): void {
  turn.set({ status: 'ADMITTING' });
  turn.emit({ type: 'admit' });
}

function endUnstarted(turn: PlanTurn, status: 'REJECTED' | 'FAILED' | 'CANCELLED'): void {
  for (const ticket of [...turn.tickets()]) {
    turn.change(ticket, { status: 'CANCELLED', stage: 'ended', endedAtMs: turn.atMs });
  }
  turn.finish(status);
}

function onVerdict(turn: PlanTurn, event: PlanEventOf<'approved' | 'rejected'>): string | null {
  const { approval, policy, status, submittedBy } = turn.head;
  if (status !== 'AWAITING_APPROVAL') return `the plan waits for no approval: it is ${status}`;
  const { by, atMs, comment } = event;
  if (event.type === 'approved' && policy.selfApproval === false && by === submittedBy) {
    return 'who submitted the plan may not approve it as well';
  }
  turn.set({ approval: { ...approval, verdict: event.type, by, atMs, comment } });
  turn.emit({ type: 'clearTimer', timerId: APPROVAL_TIMER });
  if (event.type === 'approved') start(turn);
  else endUnstarted(turn, 'REJECTED');
  return null;
}

function onApprovalExpired(turn: PlanTurn): void {
  if (turn.head.status !== 'AWAITING_APPROVAL') return;
  const message = 'nobody approved the plan before its valid_until';
  turn.set({ failure: { ticketId: null, taskId: null, errorClass: 'expired', message } });
  endUnstarted(turn, 'FAILED');
}

function onAdmitted(turn: PlanTurn, event: PlanEventOf<'admitted'>): null {
  if (turn.head.status !== 'ADMITTING') return null;
  turn.set({ status: 'RUNNING', warning: event.warning });
  publishReady(turn);
  return null;
}

function onUnable(turn: PlanTurn, event: PlanEventOf<'unable'>): null {
  if (turn.head.status !== 'ADMITTING') return null;
  turn.set({ failure: { ticketId: null, taskId: null, errorClass: 'nobody_able', message: event.reason } });
  endUnstarted(turn, 'FAILED');
  return null;
}

const STARTED: readonly PlanStatus[] = ['RUNNING', 'STOPPING', 'COMPENSATING'];

function onCancel(turn: PlanTurn): string | null {
  if (!STARTED.includes(turn.head.status)) {
    turn.emit({ type: 'clearTimer', timerId: APPROVAL_TIMER });
    endUnstarted(turn, 'CANCELLED');
    return null;
  }
  if (turn.head.outcome !== null) return `the plan is ending already: it is ${turn.head.status}`;
  // Whoever wants an end does not want to wait for it.
  if (turn.head.paused) liftPause(turn);
  stop(turn, 'CANCELLED', null);
  return null;
}

function onResume(turn: PlanTurn): null {
  if (!turn.head.paused) return null;
  liftPause(turn);
  if (turn.head.outcome === null) publishReady(turn);
  else settle(turn);
  return null;
}

function onRetried(turn: PlanTurn, { ticketId }: PlanEventOf<'retried'>): string | null {
  const ticket = turn.ticket(ticketId);
  if (ticket?.compensates == null || ticket.status !== 'FAILED')
    return 'only an undo that was given up can be tried again';
  if (!turn.ended) return `its plan is ending still: it is ${turn.head.status}`;
  undoAgain(turn, ticket);
  return null;
}

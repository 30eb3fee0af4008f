import type { TaskType, TicketStatus } from '@neural-hive/contracts';
import type { PlanEvent } from './plan-event.ts';
import { isFinal, type PlanState, type PlanStatus, type TicketState } from './plan-state.ts';
import type { Decision } from './plan-turn.ts';

/** One thing that a reader of a plan's progress is told. */
export type ProgressLine =
  | {
      readonly type: 'plan';
      readonly atMs: number;
      readonly planId: string;
      readonly status: PlanStatus;
      readonly final: boolean;
      readonly message: string | null;
    }
  | {
      readonly type: 'ticket';
      readonly atMs: number;
      readonly planId: string;
      readonly ticketId: string;
      readonly taskId: string;
      readonly taskType: TaskType;
      readonly status: TicketStatus;
      /** `retry` says that an attempt failed and another follows. */
      readonly step: 'published' | 'claimed' | 'retry' | 'ended';
      /** 1 for the first. */
      readonly attempt: number;
      readonly worker: string | null;
      readonly spiffeId: string | null;
      readonly durationMs: number | null;
      /** The ticket that this one undoes. */
      readonly compensates: string | null;
      readonly message: string | null;
    };

/** What the decision changed, told in the order in which a reader understands it. */
export function progressOf(
  before: PlanState | undefined,
  { state, changed }: Decision,
  event: PlanEvent,
): readonly ProgressLine[] {
  const lines: ProgressLine[] = [];
  const planChanged =
    before?.status !== state.status || before.paused !== state.paused || before.failure !== state.failure;
  const planLine: ProgressLine = {
    type: 'plan',
    atMs: event.atMs,
    planId: state.plan.plan_id,
    status: state.status,
    final: isFinal(state.status),
    message: planMessage(before, state, event),
  };
  const opening = planChanged && !isFinal(state.status);
  if (before === undefined || event.type === 'approved' || event.type === 'admitted') {
    if (opening) lines.push(planLine);
  }
  const early = lines.length > 0;
  for (const ticketId of changed) {
    const ticket = state.tickets.get(ticketId);
    const line = ticket && ticketLine(before?.tickets.get(ticketId), ticket, state, event.atMs);
    if (line !== undefined && (before !== undefined || line.status !== 'PENDING')) lines.push(line);
  }
  if (planChanged && !early) lines.push(planLine);
  return lines;
}

function planMessage(before: PlanState | undefined, state: PlanState, event: PlanEvent): string | null {
  switch (event.type) {
    case 'submitted':
      if (state.status === 'AWAITING_APPROVAL') return `waits for approval: ${state.approval.reasons.join('; ')}`;
      return `submitted by ${event.by}`;
    case 'approved':
    case 'rejected':
      return `${event.type} by ${event.by}${event.comment === null ? '' : `: ${event.comment}`}`;
    case 'cancel':
      return `cancelled by ${event.by}${event.reason === null ? '' : `: ${event.reason}`}`;
    case 'pause':
      return `paused by ${event.by}`;
    case 'resume':
      return `resumed by ${event.by}`;
    case 'retried':
      return `undone again by ${event.by}`;
    case 'admitted':
      return event.warning;
    default:
      return before?.failure !== state.failure ? (state.failure?.message ?? null) : null;
  }
}

function ticketLine(
  before: TicketState | undefined,
  ticket: TicketState,
  state: PlanState,
  atMs: number,
): ProgressLine | undefined {
  const step = stepOf(before, ticket);
  if (step === undefined) return undefined;
  const failed = step === 'retry' || ticket.status === 'FAILED' || ticket.status === 'CANCELLED';
  return {
    type: 'ticket',
    atMs,
    planId: state.plan.plan_id,
    ticketId: ticket.ticketId,
    taskId: ticket.taskId,
    taskType: ticket.taskType,
    status: ticket.status,
    step,
    attempt: step === 'retry' ? ticket.retryCount : ticket.retryCount + 1,
    worker: ticket.agentId,
    spiffeId: ticket.spiffeId,
    durationMs: durationMsOf(ticket),
    compensates: ticket.compensates,
    message: failed ? ticket.errorMessage : null,
  };
}

function stepOf(before: TicketState | undefined, ticket: TicketState) {
  if (before?.status !== ticket.status && ticket.status !== 'PENDING') {
    return ticket.status === 'RUNNING' && ticket.stage === 'published'
      ? 'claimed'
      : ticket.stage === 'ended'
        ? 'ended'
        : 'retry';
  }
  const claimed = ticket.fencingToken > (before?.fencingToken ?? 0);
  if (claimed && ticket.stage === 'published') return 'claimed';
  if (before?.stage === ticket.stage) return undefined;
  if (ticket.stage === 'published') return 'published';
  return ticket.stage === 'backoff' ? 'retry' : undefined;
}

/** From the first claim to the end, in milliseconds; null before either. */
export function durationMsOf(ticket: TicketState): number | null {
  return ticket.startedAtMs === null || ticket.endedAtMs === null ? null : ticket.endedAtMs - ticket.startedAtMs;
}

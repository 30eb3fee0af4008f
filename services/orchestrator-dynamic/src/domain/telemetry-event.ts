import type { PlanEvent } from './plan-event.ts';
import { durationMsOf } from './plan-progress.ts';
import { isFinal, type PlanState, type PlanStatus, type TicketState } from './plan-state.ts';
import type { Decision } from './plan-turn.ts';

/** What those who watch all plans are told; its names are those of the original system's telemetry. */
export interface TelemetryEvent {
  readonly event_type: 'FLOW_C_STARTED' | 'TICKET_FAILED' | 'SLA_VIOLATION' | 'FLOW_C_COMPLETED';
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly workflow_id: string;
  readonly plan_id: string;
  readonly intent_id: string;
  readonly decision_id: string;
  readonly correlation_id: string | null;
  readonly trace_id: string | null;
  readonly span_id: string | null;
  readonly status: PlanStatus | TicketState['status'];
  readonly success: boolean | null;
  /** Whether no deadline has passed; null while the plan runs. */
  readonly sla_compliant: boolean | null;
  readonly duration_ms: number | null;
  readonly ticket_id: string | null;
  readonly task_type: string | null;
  readonly worker_id: string | null;
  readonly error: string | null;
  readonly error_type: string | null;
  /** Tickets by status, attempts beyond the first, takeovers from silent holders. Of a plan that ended; else empty. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly schema_version: 1;
}

/** What the decision means to those who watch all plans; mostly nothing. */
export function telemetryOf(
  before: PlanState | undefined,
  { state, changed }: Decision,
  event: PlanEvent,
): readonly TelemetryEvent[] {
  const told: TelemetryEvent[] = [];
  const { atMs } = event;
  if (before?.status !== 'RUNNING' && state.status === 'RUNNING') {
    told.push({ ...aboutPlan(state, atMs), event_type: 'FLOW_C_STARTED' });
  }
  for (const ticketId of changed) {
    const ticket = state.tickets.get(ticketId);
    if (ticket?.stage !== 'ended' || before?.tickets.get(ticketId)?.stage === 'ended') continue;
    const deadline = event.type === 'timer' && event.timerId === `deadline:${ticketId}`;
    if (deadline) told.push({ ...aboutTicket(state, ticket, atMs), event_type: 'SLA_VIOLATION', sla_compliant: false });
    if (ticket.status === 'FAILED') told.push({ ...aboutTicket(state, ticket, atMs), event_type: 'TICKET_FAILED' });
  }
  if (isFinal(state.status) && before?.status !== state.status) told.push(aboutEnd(state, atMs));
  return told;
}

function aboutPlan(state: PlanState, atMs: number): TelemetryEvent {
  const { plan, decision, status } = state;
  return {
    event_type: 'FLOW_C_STARTED',
    timestamp: atMs,
    workflow_id: plan.plan_id,
    plan_id: plan.plan_id,
    intent_id: plan.intent_id,
    decision_id: decision.decision_id,
    correlation_id: plan.correlation_id,
    trace_id: plan.trace_id,
    span_id: plan.span_id,
    status,
    success: null,
    sla_compliant: null,
    duration_ms: null,
    ticket_id: null,
    task_type: null,
    worker_id: null,
    error: null,
    error_type: null,
    metrics: {},
    schema_version: 1,
  };
}

function aboutTicket(state: PlanState, ticket: TicketState, atMs: number): TelemetryEvent {
  return {
    ...aboutPlan(state, atMs),
    status: ticket.status,
    success: false,
    duration_ms: durationMsOf(ticket),
    ticket_id: ticket.ticketId,
    task_type: ticket.taskType,
    worker_id: ticket.agentId,
    error: ticket.errorMessage,
    error_type: ticket.errorClass,
  };
}

function aboutEnd(state: PlanState, atMs: number): TelemetryEvent {
  const tickets = [...state.tickets.values()];
  const metrics: Record<string, number> = { tickets: tickets.length, retries: 0, takeovers: 0 };
  for (const { status, retryCount, takeovers } of tickets) {
    const name = status.toLowerCase();
    metrics[name] = (metrics[name] ?? 0) + 1;
    metrics.retries = (metrics.retries ?? 0) + retryCount;
    metrics.takeovers = (metrics.takeovers ?? 0) + takeovers;
  }
  return {
    ...aboutPlan(state, atMs),
    event_type: 'FLOW_C_COMPLETED',
    success: state.status === 'COMPLETED',
    sla_compliant: !tickets.some(({ errorClass, stage }) => errorClass === 'timeout' && stage === 'ended'),
    duration_ms: (state.endedAtMs ?? atMs) - state.submittedAtMs,
    error: state.failure?.message ?? null,
    error_type: state.failure?.errorClass ?? null,
    metrics,
  };
}

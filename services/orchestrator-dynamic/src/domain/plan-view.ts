import type { TaskType, TicketStatus } from '@neural-hive/contracts';
import { durationMsOf } from './plan-progress.ts';
import type { TicketState } from './plan-state.ts';
import { type ApprovalState, isFinal, type PlanFailure, type PlanState, type PlanStatus } from './plan-state.ts';

/** A ticket as callers see it. Times in epoch milliseconds. */
export interface TicketView {
  readonly id: string;
  readonly taskId: string;
  readonly type: TaskType;
  readonly status: TicketStatus;
  /** 1 for the first; 0 before it was published. */
  readonly attempt: number;
  /** Agent id of the last holder. */
  readonly worker: string | null;
  /** SPIFFE ID of the worker whose result counted. */
  readonly spiffeId: string | null;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly durationMs: number | null;
  /** The ticket that this one undoes. */
  readonly compensates: string | null;
  readonly output: Readonly<Record<string, string>>;
  /** The KV path of a sensitive output. */
  readonly outputReference: string | null;
  readonly error: { readonly class: string; readonly message: string; readonly logs: readonly string[] } | null;
}

/** A plan without its tickets, as in lists. */
export interface PlanSummary {
  readonly id: string;
  readonly status: PlanStatus;
  readonly final: boolean;
  readonly intentId: string;
  readonly submittedBy: string;
  readonly submittedAtMs: number;
  readonly endedAtMs: number | null;
}

export interface PlanView extends PlanSummary {
  readonly decisionId: string;
  readonly decision: string;
  readonly priority: string;
  readonly securityLevel: string;
  readonly riskBand: string;
  readonly paused: boolean;
  readonly approval: ApprovalState;
  readonly failure: PlanFailure | null;
  readonly warning: string | null;
  readonly tickets: readonly TicketView[];
}

export function viewPlan(state: PlanState): PlanView {
  const { plan, decision } = state;
  return {
    id: plan.plan_id,
    status: state.status,
    final: isFinal(state.status),
    intentId: plan.intent_id,
    submittedBy: state.submittedBy,
    submittedAtMs: state.submittedAtMs,
    endedAtMs: state.endedAtMs,
    decisionId: decision.decision_id,
    decision: decision.final_decision,
    priority: plan.original_priority,
    securityLevel: plan.original_security_level,
    riskBand: plan.risk_band,
    paused: state.paused,
    approval: state.approval,
    failure: state.failure,
    warning: state.warning,
    tickets: [...state.tickets.values()].map(viewTicket),
  };
}

function viewTicket(ticket: TicketState): TicketView {
  return {
    id: ticket.ticketId,
    taskId: ticket.taskId,
    type: ticket.taskType,
    status: ticket.status,
    attempt: ticket.publishedAtMs === null ? 0 : ticket.retryCount + 1,
    worker: ticket.agentId,
    spiffeId: ticket.spiffeId,
    startedAtMs: ticket.startedAtMs,
    endedAtMs: ticket.endedAtMs,
    durationMs: durationMsOf(ticket),
    compensates: ticket.compensates,
    output: ticket.output,
    outputReference: ticket.outputReference,
    error:
      ticket.errorClass === null
        ? null
        : { class: ticket.errorClass, message: ticket.errorMessage ?? '', logs: ticket.errorLogs },
  };
}

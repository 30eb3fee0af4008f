import type { ExecutionTicket, RiskBand, TaskNode } from '@neural-hive/contracts';
import type { ExecutionPolicy } from './execution-policy.ts';
import type { PlanState, TicketState } from './plan-state.ts';
import { ticketIdOf } from './ticket-id.ts';

const DEFAULT_ESTIMATE_MS = 60_000;

const RETRIES_BY_RISK: Readonly<Record<RiskBand, number>> = { critical: 5, high: 3, medium: 2, low: 1 };

export function maxRetriesOf(riskBand: RiskBand): number {
  return RETRIES_BY_RISK[riskBand];
}

/** How long one attempt may take. */
export function timeoutMsOf(task: TaskNode, policy: ExecutionPolicy): number {
  const estimateMs = task.estimated_duration_ms ?? DEFAULT_ESTIMATE_MS;
  return Math.ceil(Math.max(policy.minTimeoutMs, estimateMs * policy.timeoutFactor));
}

/**
 * When a ticket that was first published at `publishedAtMs` is given up. It counts from the publication, so waiting
 * for dependencies costs nothing, and holds the time of every attempt and of the waits between them.
 */
export function deadlineMsOf(task: TaskNode, ticket: TicketState, policy: ExecutionPolicy, publishedAtMs: number) {
  const attemptsMs = timeoutMsOf(task, policy) * (ticket.maxRetries + 1);
  return publishedAtMs + policy.queueLimitMs + attemptsMs + policy.retryCapMs * ticket.maxRetries;
}

/** The message for the workers about one attempt. `undone` is the ticket that a COMPENSATE ticket undoes. */
export function buildExecutionTicket(
  { plan, decision, policy, submittedAtMs }: Omit<PlanState, 'tickets'>,
  ticket: TicketState,
  task: TaskNode,
  undone: TicketState | undefined,
): ExecutionTicket {
  const strict = plan.risk_band === 'critical' || plan.risk_band === 'high';
  return {
    ticket_id: ticket.ticketId,
    plan_id: plan.plan_id,
    intent_id: plan.intent_id,
    decision_id: decision.decision_id,
    correlation_id: plan.correlation_id,
    trace_id: plan.trace_id,
    span_id: plan.span_id,
    task_id: ticket.taskId,
    task_type: ticket.taskType,
    description: task.description,
    dependencies: undone === undefined ? task.dependencies.map((id) => ticketIdOf(plan.plan_id, id)) : [],
    status: 'PENDING',
    priority: plan.original_priority,
    risk_band: plan.risk_band,
    sla: {
      deadline: deadlineMsOf(task, ticket, policy, ticket.publishedAtMs ?? submittedAtMs),
      timeout_ms: timeoutMsOf(task, policy),
      max_retries: ticket.maxRetries,
    },
    qos: strict
      ? { delivery_mode: 'EXACTLY_ONCE', consistency: 'STRONG', durability: 'PERSISTENT' }
      : { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    parameters: task.parameters,
    // Whoever undoes must be able to COMPENSATE; what the original asked for is about doing.
    required_capabilities: undone === undefined ? task.required_capabilities : [],
    security_level: plan.original_security_level,
    created_at: submittedAtMs,
    estimated_duration_ms: task.estimated_duration_ms,
    retry_count: ticket.retryCount,
    compensates:
      undone === undefined
        ? null
        : { ticket_id: undone.ticketId, task_type: undone.taskType, output: { ...undone.output } },
    metadata: task.metadata,
    schema_version: 1,
  };
}

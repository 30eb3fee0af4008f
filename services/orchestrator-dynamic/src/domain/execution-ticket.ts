import type { ExecutionTicket, RiskBand, TaskNode } from '@neural-hive/contracts';
import type { ExecutionPolicy } from './execution-policy.ts';
import type { PlanState, TicketState } from './plan-state.ts';

const DEFAULT_ESTIMATE_MS = 60_000;

const RETRIES_BY_RISK: Readonly<Record<RiskBand, number>> = { critical: 5, high: 3, medium: 2, low: 1 };

export function maxRetriesOf(riskBand: RiskBand): number {
  return RETRIES_BY_RISK[riskBand];
}

/** How long a task takes, as its plan says; a plan that does not say is taken to mean a minute. */
export function estimateMsOf(task: TaskNode): number {
  return task.estimated_duration_ms ?? DEFAULT_ESTIMATE_MS;
}

/** How long one attempt may take. */
export function timeoutMsOf(task: TaskNode, policy: ExecutionPolicy): number {
  return Math.ceil(Math.max(policy.minTimeoutMs, estimateMsOf(task) * policy.timeoutFactor));
}

/**
 * When a ticket that was first published at `publishedAtMs` is given up. It counts from the publication, so waiting
 * for dependencies costs nothing, and holds the time of every attempt and of the waits between them.
 */
export function deadlineMsOf(task: TaskNode, ticket: TicketState, policy: ExecutionPolicy, publishedAtMs: number) {
  const attemptsMs = timeoutMsOf(task, policy) * (ticket.maxRetries + 1);
  return publishedAtMs + policy.queueLimitMs + attemptsMs + policy.retryCapMs * ticket.maxRetries;
}

/** Metadata under this prefix is what dependencies came to; a plan cannot bring it along. */
export const DEPENDENCY_PREFIX = 'dependency.';

/** Longer outputs of a dependency do not travel with a ticket: a digest or a name does, a report does not. */
const MAX_PASSED_LENGTH = 1_024;
const MAX_KEY_LENGTH = 256;

/** Where the other tickets of the plan are found. */
export interface TicketLookup {
  ticket(ticketId: string): TicketState | undefined;
  ticketOf(taskId: string): TicketState | undefined;
}

/** The message for the workers about one attempt. */
export function buildExecutionTicket(
  { plan, decision, policy, submittedAtMs }: Omit<PlanState, 'tickets'>,
  ticket: TicketState,
  task: TaskNode,
  tickets: TicketLookup,
): ExecutionTicket {
  const undone = ticket.compensates === null ? undefined : tickets.ticket(ticket.compensates);
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
    dependencies: undone === undefined ? task.dependencies.flatMap((id) => tickets.ticketOf(id)?.ticketId ?? []) : [],
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
    metadata: { ...task.metadata, ...dependencyOutputs(task, tickets) },
    schema_version: 1,
  };
}

/** `dependency.<task id>.<name>`: what the direct dependencies of a task came to. */
function dependencyOutputs(task: TaskNode, tickets: TicketLookup): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const taskId of task.dependencies) {
    for (const [name, value] of Object.entries(tickets.ticketOf(taskId)?.output ?? {})) {
      const key = `${DEPENDENCY_PREFIX}${taskId}.${name}`;
      if (value.length <= MAX_PASSED_LENGTH && key.length <= MAX_KEY_LENGTH) passed[key] = value;
    }
  }
  return passed;
}

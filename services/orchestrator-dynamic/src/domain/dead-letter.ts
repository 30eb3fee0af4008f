import type { CognitivePlan, ConsolidatedDecision, ErrorClass, TaskType } from '@neural-hive/contracts';
import type { PlanState, TicketState } from './plan-state.ts';
import { retryDecisionIdOf } from './ticket-id.ts';

/** A ticket that was given up after every attempt it had, kept so that somebody can look at it and try again. */
export interface DeadLetter {
  readonly ticketId: string;
  readonly planId: string;
  readonly taskId: string;
  readonly taskType: TaskType;
  /** The ticket that this one was to undo: what it did is still in place. */
  readonly compensates: string | null;
  readonly errorClass: ErrorClass;
  readonly errorMessage: string;
  readonly errorLogs: readonly string[];
  readonly attempts: number;
  /** Holders that went silent. */
  readonly takeovers: number;
  readonly agentId: string | null;
  readonly atMs: number;
}

export function deadLetterOf(planId: string, ticket: TicketState, atMs: number): DeadLetter {
  const { ticketId, taskId, taskType, compensates, errorLogs, takeovers, agentId } = ticket;
  return {
    ticketId,
    planId,
    taskId,
    taskType,
    compensates,
    errorClass: ticket.errorClass ?? 'execution',
    errorMessage: ticket.errorMessage ?? '',
    errorLogs,
    attempts: ticket.publishedAtMs === null ? 0 : ticket.retryCount + 1,
    takeovers,
    agentId,
    atMs,
  };
}

export interface Rerun {
  readonly plan: CognitivePlan;
  /** Undefined for a plan that was submitted directly, as its rerun is. */
  readonly decision: ConsolidatedDecision | undefined;
}

const MAX_ID_LENGTH = 128;

/**
 * The same plan under the next id of its own, `<plan id>.r<n>`, and the same decision about it, so that what had to wait for
 * a person waits again. The same for the same plan, however often it is asked for. Undefined when the id has no room.
 */
export function rerunOf({ plan, decision }: Pick<PlanState, 'plan' | 'decision'>): Rerun | undefined {
  const [, base = plan.plan_id, run = '0'] = /^(.+)\.r(\d{1,6})$/.exec(plan.plan_id) ?? [];
  const planId = `${base}.r${Number(run) + 1}`;
  if (planId.length > MAX_ID_LENGTH) return undefined;
  const again = {
    ...plan,
    plan_id: planId,
    valid_until: null,
    metadata: { ...plan.metadata, retry_of: plan.plan_id },
  };
  if (decision.metadata.source === 'direct') return { plan: again, decision: undefined };
  return {
    plan: again,
    decision: {
      ...decision,
      decision_id: retryDecisionIdOf(planId),
      plan_id: planId,
      valid_until: null,
      metadata: { ...decision.metadata, retry_of: decision.decision_id },
    },
  };
}

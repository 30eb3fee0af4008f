import type { CognitivePlan, ConsolidatedDecision, ErrorClass, TaskType, TicketStatus } from '@neural-hive/contracts';
import type { ExecutionPolicy } from './execution-policy.ts';

/**
 * `STOPPING` waits for what still runs, `COMPENSATING` undoes what was completed; both lead to `FAILED` or
 * `CANCELLED`. The last four are final.
 */
export const PLAN_STATUSES = [
  'AWAITING_APPROVAL',
  'ADMITTING',
  'RUNNING',
  'STOPPING',
  'COMPENSATING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'REJECTED',
] as const;
export type PlanStatus = (typeof PLAN_STATUSES)[number];

export type FinalPlanStatus = Extract<PlanStatus, 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'REJECTED'>;

export function isFinal(status: PlanStatus): status is FinalPlanStatus {
  return status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED' || status === 'REJECTED';
}

/** Why a plan cannot complete. */
export interface PlanFailure {
  readonly ticketId: string | null;
  readonly taskId: string | null;
  readonly errorClass: ErrorClass | 'expired' | 'nobody_able';
  readonly message: string;
}

export interface ApprovalState {
  /** Why the plan waits for a person; empty when it does not. */
  readonly reasons: readonly string[];
  readonly verdict: 'not_required' | 'pending' | 'approved' | 'rejected';
  /** SPIFFE ID of who decided. */
  readonly by: string | null;
  readonly atMs: number | null;
  readonly comment: string | null;
}

/**
 * Where a ticket is within its status: `waiting` is not in the queue, `published` is with the transport, `backoff`
 * waits for its retry timer, `ended` changes no more (save for compensation).
 */
export type TicketStage = 'waiting' | 'published' | 'backoff' | 'ended';

export interface TicketState {
  readonly ticketId: string;
  readonly taskId: string;
  readonly taskType: TaskType;
  /** On COMPENSATE tickets of the plan's own undoing: the ticket that is undone. */
  readonly compensates: string | null;
  readonly status: TicketStatus;
  readonly stage: TicketStage;
  readonly retryCount: number;
  readonly maxRetries: number;
  /** How often a holder went silent and another took over. */
  readonly takeovers: number;
  /** The newest claim; 0 before the first. */
  readonly fencingToken: number;
  readonly agentId: string | null;
  readonly spiffeId: string | null;
  readonly publishedAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  /** Counts completions within the plan: what completed later is undone earlier. */
  readonly completedOrder: number | null;
  readonly output: Readonly<Record<string, string>>;
  readonly outputReference: string | null;
  readonly errorClass: ErrorClass | null;
  readonly errorMessage: string | null;
  /** The last lines of a failed attempt. */
  readonly errorLogs: readonly string[];
}

export interface PlanState {
  readonly plan: CognitivePlan;
  readonly decision: ConsolidatedDecision;
  readonly policy: ExecutionPolicy;
  readonly submittedBy: string;
  readonly submittedAtMs: number;
  readonly status: PlanStatus;
  readonly approval: ApprovalState;
  readonly paused: boolean;
  /** Since when; deadlines stand still meanwhile. */
  readonly pausedAtMs: number | null;
  /** The final status that STOPPING and COMPENSATING lead to. */
  readonly outcome: 'FAILED' | 'CANCELLED' | null;
  readonly failure: PlanFailure | null;
  /** Something worth knowing that stops nothing, as an admission without an answer from the registry. */
  readonly warning: string | null;
  readonly completions: number;
  readonly endedAtMs: number | null;
  /** By ticket id: the tasks in the plan's order, then the compensations in theirs. */
  readonly tickets: ReadonlyMap<string, TicketState>;
}

/** What every ticket is before its first attempt. */
export const UNTRIED = {
  status: 'PENDING',
  stage: 'waiting',
  retryCount: 0,
  takeovers: 0,
  fencingToken: 0,
  agentId: null,
  spiffeId: null,
  publishedAtMs: null,
  startedAtMs: null,
  endedAtMs: null,
  completedOrder: null,
  output: {},
  outputReference: null,
  errorClass: null,
  errorMessage: null,
  errorLogs: [],
} as const satisfies Partial<TicketState>;

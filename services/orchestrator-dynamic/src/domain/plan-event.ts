import type { CognitivePlan, ConsolidatedDecision, ErrorClass } from '@neural-hive/contracts';
import type { ExecutionPolicy } from './execution-policy.ts';

/** What an attempt came to, taken from the worker's ExecutionResult. */
export interface AttemptOutcome {
  readonly status: 'COMPLETED' | 'FAILED';
  readonly output: Readonly<Record<string, string>>;
  readonly outputReference: string | null;
  readonly errorClass: ErrorClass | null;
  readonly errorMessage: string | null;
  readonly logs: readonly string[];
  readonly agentId: string;
  readonly spiffeId: string | null;
}

/** Everything that can happen to a plan. `atMs` is when, in epoch milliseconds: the reducer has no clock. */
export type PlanEvent = { readonly atMs: number } & (
  | {
      readonly type: 'submitted';
      readonly plan: CognitivePlan;
      readonly decision: ConsolidatedDecision;
      readonly by: string;
      readonly policy: ExecutionPolicy;
    }
  | { readonly type: 'approved' | 'rejected'; readonly by: string; readonly comment: string | null }
  /** The registry knows somebody alive for every task type, or gave no answer (`warning`). */
  | { readonly type: 'admitted'; readonly warning: string | null }
  | { readonly type: 'unable'; readonly reason: string }
  | {
      readonly type: 'claimed';
      readonly ticketId: string;
      readonly fencingToken: number;
      readonly agentId: string;
      readonly takeover: boolean;
    }
  | {
      readonly type: 'result';
      readonly ticketId: string;
      readonly fencingToken: number;
      readonly outcome: AttemptOutcome;
    }
  | { readonly type: 'timer'; readonly timerId: string }
  | { readonly type: 'cancel'; readonly by: string; readonly reason: string | null }
  | { readonly type: 'pause' | 'resume'; readonly by: string }
  /** Somebody has an undo tried again that was given up; its plan had ended. */
  | { readonly type: 'retried'; readonly ticketId: string; readonly by: string }
);

export type PlanEventOf<Type extends PlanEvent['type']> = Extract<PlanEvent, { readonly type: Type }>;

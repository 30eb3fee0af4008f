import type { CognitivePlan, ConsolidatedDecision } from '@neural-hive/contracts';
import type { DeadLetter, PlanState, PlanStatus, PlanSummary, ProgressLine, TelemetryEvent } from '../domain/index.ts';

export type SubmitOutcome =
  /** `created` false: the same plan was here already. */
  | { readonly kind: 'accepted'; readonly created: boolean; readonly state: PlanState }
  /** The plan id belongs to a plan of other content. */
  | { readonly kind: 'conflict' };

export type WishAction = 'approve' | 'reject' | 'cancel' | 'pause' | 'resume';

/** What a person wants of a plan. */
export interface Wish {
  readonly action: WishAction;
  /** SPIFFE ID of who asks. */
  readonly by: string;
  readonly text: string | null;
}

export type WishOutcome =
  | { readonly kind: 'done'; readonly state: PlanState }
  | { readonly kind: 'refused'; readonly reason: string; readonly state: PlanState }
  | { readonly kind: 'unknown' };

export interface NumberedProgress {
  readonly seq: number;
  readonly line: ProgressLine;
}

export interface StoredDeadLetter extends DeadLetter {
  /** The ticket, or the plan, that tries again; null when nobody has yet. */
  readonly retriedAs: string | null;
  /** SPIFFE ID of who had it tried again. */
  readonly retriedBy: string | null;
}

export type RetryOutcome =
  /** `retriedAs`: the ticket that undoes again, or the plan that runs again. `state`: of the plan that it belongs to. */
  | { readonly kind: 'done'; readonly retriedAs: string; readonly state: PlanState }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unknown' };

export interface TelemetryPage {
  readonly events: readonly (TelemetryEvent & { readonly cursor: string })[];
}

/** A place in the telemetry feed, as a reader keeps it: two numbers whose meaning is the engine's. */
export const TELEMETRY_CURSOR = /^(\d{1,19})-(\d{1,19})$/;

export function isTelemetryCursor(text: string): boolean {
  return TELEMETRY_CURSOR.test(text);
}

/** Runs plans durably: what it has accepted goes on in another process when this one dies. */
export interface PlanEngine extends AsyncDisposable {
  /** Stores a checked plan and the decision that it came with, records who submitted it and sets it going, all or nothing. */
  submit(plan: CognitivePlan, by: string, decision?: ConsolidatedDecision): Promise<SubmitOutcome>;
  /** What a person wants of a plan; who and what is recorded with it. */
  wish(planId: string, wish: Wish): Promise<WishOutcome>;
  find(planId: string): Promise<PlanState | undefined>;
  /** The newest first. */
  list(filter: { status?: PlanStatus | undefined; limit: number }): Promise<readonly PlanSummary[]>;
  /** A page of what was told behind line `after`. */
  progressAfter(planId: string, after: number): Promise<readonly NumberedProgress[]>;
  /** Tickets that were given up, the newest first; `all` also those that were tried again. */
  deadLetters(filter: { all: boolean; limit: number }): Promise<readonly StoredDeadLetter[]>;
  deadLetter(ticketId: string): Promise<StoredDeadLetter | undefined>;
  retryDeadLetter(ticketId: string, by: string): Promise<RetryOutcome>;
  /** What those who watch all plans are told, behind `after`; `0-0` is the beginning. */
  telemetryAfter(after: string, limit: number): Promise<TelemetryPage>;
  /** Calls back after every change of the plan that this process made. */
  onChange(planId: string, listener: () => void): () => void;
  /** How many plans have not ended, whichever process accepted them. */
  countActive(): Promise<number>;
  /** Takes no further event and waits for what is under way. */
  close(): Promise<void>;
}

import type { CognitivePlan, ConsolidatedDecision } from '@neural-hive/contracts';
import type { DeadLetter, PlanState, PlanStatus, PlanSummary, TelemetryEvent, TicketState } from '../domain/index.ts';
import type { NumberedProgress, StoredDeadLetter, TelemetryPage } from './plan-engine.ts';

/** The reducer's state without what never changes and without its tickets. */
export type PlanHead = Omit<PlanState, 'plan' | 'decision' | 'tickets'>;

/** A timer that is set. `atMs`: epoch milliseconds. */
export interface TimerSetting {
  readonly id: string;
  readonly atMs: number;
}

export interface TicketRecord {
  /** Its place among the tickets of the plan. */
  readonly position: number;
  readonly state: TicketState;
  readonly timers: readonly TimerSetting[];
  /** Fencing token of the newest result that was applied, 0 before the first: a result that comes twice counts once. */
  readonly resultToken: number;
}

export interface HeadRecord {
  readonly head: PlanHead;
  /** Timers of the plan itself. */
  readonly timers: readonly TimerSetting[];
  /** How many lines of progress have been told. */
  readonly told: number;
}

export interface KeyedTelemetry {
  /** The same for the same event, however often it is written. */
  readonly key: string;
  readonly event: TelemetryEvent;
}

/**
 * What changed. `seq` grows with every save of a plan: what is written again, or comes after something newer, changes
 * nothing. The head comes last, alone or with the last tickets: a plan is as new as its head.
 */
export interface PlanSave {
  readonly planId: string;
  readonly seq: number;
  readonly tickets: readonly TicketRecord[];
  readonly progress: readonly NumberedProgress[];
  readonly telemetry: readonly KeyedTelemetry[];
  readonly head: HeadRecord | null;
}

export interface NewPlan extends Omit<PlanSave, 'seq'> {
  readonly plan: CognitivePlan;
  readonly decision: ConsolidatedDecision;
  readonly head: HeadRecord;
  readonly createdAtMs: number;
}

export interface StoredHead extends HeadRecord {
  readonly plan: CognitivePlan;
  readonly decision: ConsolidatedDecision;
  readonly seq: number;
}

/** Plans, where an engine keeps them that has its events elsewhere. One plan is saved by one at a time. */
export interface PlanStore {
  /** Stores a new plan at `seq` 1; one that is there already stays as it is. */
  create(plan: NewPlan): Promise<void>;
  save(save: PlanSave): Promise<void>;
  find(planId: string): Promise<PlanState | undefined>;
  readHead(planId: string): Promise<StoredHead | undefined>;
  /** Tickets from a position on, in their order: as many as come to `maxLength` characters, and one at least. */
  readTickets(planId: string, from: number, maxLength: number): Promise<readonly TicketRecord[]>;
  /** The newest first. */
  list(filter: { status?: PlanStatus | undefined; limit: number }): Promise<readonly PlanSummary[]>;
  countActive(): Promise<number>;
  /** Ids of plans that have not ended, after `after`, in order. */
  activeAfter(after: string, limit: number): Promise<readonly string[]>;
  progressAfter(planId: string, after: number): Promise<readonly NumberedProgress[]>;
  telemetryAfter(after: string, limit: number): Promise<TelemetryPage>;
  buryTicket(letter: DeadLetter): Promise<void>;
  deadLetters(filter: { all: boolean; limit: number }): Promise<readonly StoredDeadLetter[]>;
  deadLetter(ticketId: string): Promise<StoredDeadLetter | undefined>;
  /** False when it was tried again before. */
  markRetried(ticketId: string, retried: { as: string; by: string }): Promise<boolean>;
}

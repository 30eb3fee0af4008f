import type { PlanStatus } from '../../domain/index.ts';
import type { TimerSetting } from '../../ports/plan-store.ts';

/**
 * What plans, tickets and messages hold is kept as JSON text: names in it may have dots and dollar signs, and nobody
 * searches in it. Fields of their own are what is searched by.
 */
export interface PlanDocument {
  readonly _id: string;
  readonly seq: number;
  readonly status: PlanStatus;
  readonly final: boolean;
  readonly createdAtMs: number;
  readonly intentId: string;
  readonly submittedBy: string;
  readonly submittedAtMs: number;
  readonly endedAtMs: number | null;
  /** A CognitivePlan, a ConsolidatedDecision and a PlanHead. */
  readonly plan: string;
  readonly decision: string;
  readonly head: string;
  readonly timers: readonly TimerSetting[];
  readonly told: number;
}

export interface TicketDocument {
  /** The ticket id. */
  readonly _id: string;
  readonly planId: string;
  readonly seq: number;
  readonly position: number;
  /** A TicketState. */
  readonly state: string;
  readonly timers: readonly TimerSetting[];
  readonly resultToken: number;
}

export interface ProgressDocument {
  /** `<plan id>/<seq>` */
  readonly _id: string;
  readonly planId: string;
  readonly seq: number;
  readonly line: string;
}

export interface TelemetryDocument {
  /** Its place in the feed: 1, 2, 3, without a gap. */
  readonly _id: number;
  readonly key: string;
  readonly event: string;
}

export interface DeadLetterDocument {
  /** The ticket id. */
  readonly _id: string;
  readonly planId: string;
  readonly atMs: number;
  readonly letter: string;
  readonly retriedAs: string | null;
  readonly retriedBy: string | null;
}

/** Who holds a ticket. */
export interface DeskDocument {
  /** The ticket id. */
  readonly _id: string;
  readonly planId: string;
  readonly taskType: string;
  /** The ticket's retry_count. */
  readonly publication: number;
  readonly state: 'queued' | 'claimed' | 'finished' | 'cancelled';
  /** The newest claim's, of a count over all tickets; 0 before the first. Only grows. */
  readonly fencingToken: number;
  /** How often it was claimed. */
  readonly attempt: number;
  readonly deadlineMs: number;
  readonly agent: string | null;
  readonly spiffeId: string | null;
  readonly claimedAtMs: number | null;
  readonly heartbeatAtMs: number | null;
  readonly takeover: boolean;
  /** What the holder published, as it came, and when. */
  readonly result: string | null;
  readonly finishedAtMs: number | null;
}

/** A plan whose tickets nobody claims. */
export interface PauseDocument {
  /** The plan id. */
  readonly _id: string;
}

/** The newest number that was given out. */
export interface CounterDocument {
  readonly _id: string;
  readonly value: number;
}

export const COLLECTIONS = {
  plans: 'plans',
  tickets: 'plan_tickets',
  progress: 'plan_progress',
  telemetry: 'telemetry',
  deadLetters: 'dead_letters',
  desk: 'ticket_desk',
  pauses: 'plan_pauses',
  counters: 'counters',
} as const;

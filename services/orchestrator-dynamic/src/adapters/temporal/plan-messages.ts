import type { NeededAbility, PlanEvent, PlanStatus } from '../../domain/index.ts';
import type { AdmissionAnswer } from '../../ports/admission.ts';
import type { StoredHead, TicketRecord } from '../../ports/plan-store.ts';
import type { PlanStep, StepOutcome } from './plan-step.ts';

/** What the workflow and who talks to it agree on. A change of any name or shape needs a patch in the workflow. */
export const WORKFLOW = 'runPlan';
/** Takes a `PlanEvent`; nobody waits for what comes of it. */
export const NEWS_SIGNAL = 'news';
/** Takes a `PlanEvent` of a person and answers a `WishAnswer` once it is kept. */
export const WISH_UPDATE = 'wish';

export interface PlanInput {
  readonly planId: string;
  /** A run goes on as a new one after so many events of its history. Default 4,000; the server warns from 10,240. */
  readonly maxEvents?: number;
}

export interface WishAnswer {
  /** Why the wish is not possible now; null when it was carried out. */
  readonly refusal: string | null;
}

export type PlanOutcome = PlanStatus | 'UNKNOWN';

export interface PlanActivities {
  loadHead(input: PlanInput): Promise<StoredHead | null>;
  loadTickets(input: PlanInput & { readonly from: number }): Promise<readonly TicketRecord[]>;
  carryOut(step: PlanStep): Promise<StepOutcome>;
  admit(needs: readonly NeededAbility[]): Promise<AdmissionAnswer>;
}

/** The id of a plan's workflow, as in the original system: a plan that is started twice runs once. */
export function workflowIdOf(planId: string): string {
  return `orch-${planId}`;
}

const EVENT_TYPES: ReadonlySet<string> = new Set<PlanEvent['type']>([
  'approved',
  'rejected',
  'admitted',
  'unable',
  'claimed',
  'result',
  'timer',
  'cancel',
  'pause',
  'resume',
  'retried',
]);

/** Whether something that arrived may be an event of a plan under way. */
export function isEventOfPlan(value: unknown): value is PlanEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { type, atMs } = value as { type?: unknown; atMs?: unknown };
  return typeof type === 'string' && EVENT_TYPES.has(type) && typeof atMs === 'number';
}

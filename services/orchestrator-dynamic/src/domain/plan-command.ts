import type { ExecutionTicket } from '@neural-hive/contracts';
import type { DeadLetter } from './dead-letter.ts';
import type { FinalPlanStatus } from './plan-state.ts';

/** What the engine has to carry out, one after another in the order returned. */
export type PlanCommand =
  /** Ask the registry whether somebody alive can do every task type; the answer is `admitted` or `unable`. */
  | { readonly type: 'admit' }
  /** `rankMs`: among tickets of one priority the lowest comes first. */
  | { readonly type: 'publishTicket'; readonly ticket: ExecutionTicket; readonly rankMs: number }
  /** The deadline of a ticket that was published has moved. */
  | { readonly type: 'postponeTicket'; readonly ticket: ExecutionTicket }
  /** Nobody may claim a ticket of the plan, also not from a holder that went silent, until `resumePlan` or its end. */
  | { readonly type: 'pausePlan' }
  | { readonly type: 'resumePlan' }
  /**
   * An engine that finds a result of the ticket, or a holder where `claimed` is false, applies that first and decides
   * again: what a worker did must be known before it is called off.
   */
  | { readonly type: 'cancelTicket'; readonly ticketId: string; readonly claimed: boolean }
  /** Keep the ticket, which was given up for good, where somebody will look for it. */
  | { readonly type: 'buryTicket'; readonly letter: DeadLetter }
  | { readonly type: 'setTimer'; readonly timerId: string; readonly fireAtMs: number }
  | { readonly type: 'clearTimer'; readonly timerId: string }
  | { readonly type: 'finishPlan'; readonly status: FinalPlanStatus };

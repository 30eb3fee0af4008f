import type { ExecutionTicket } from '@neural-hive/contracts';
import type { FinalPlanStatus } from './plan-state.ts';

/** What the engine has to carry out, one after another in the order returned. */
export type PlanCommand =
  /** Ask the registry whether somebody alive can do every task type; the answer is `admitted` or `unable`. */
  | { readonly type: 'admit' }
  | { readonly type: 'publishTicket'; readonly ticket: ExecutionTicket }
  /**
   * An engine that finds a result of the ticket, or a holder where `claimed` is false, applies that first and decides
   * again: what a worker did must be known before it is called off.
   */
  | { readonly type: 'cancelTicket'; readonly ticketId: string; readonly claimed: boolean }
  | { readonly type: 'setTimer'; readonly timerId: string; readonly fireAtMs: number }
  | { readonly type: 'clearTimer'; readonly timerId: string }
  | { readonly type: 'finishPlan'; readonly status: FinalPlanStatus };

import type { ExecutionTicket } from '@neural-hive/contracts';
import type { FinalPlanStatus } from './plan-state.ts';

/** What the engine has to carry out, one after another in the order returned. */
export type PlanCommand =
  /** Ask the registry whether somebody alive can do every task type; the answer is `admitted` or `unable`. */
  | { readonly type: 'admit' }
  | { readonly type: 'publishTicket'; readonly ticket: ExecutionTicket }
  /** `claimed` false: must not be held by a worker; an engine that finds it held applies that claim first. */
  | { readonly type: 'cancelTicket'; readonly ticketId: string; readonly claimed: boolean }
  | { readonly type: 'setTimer'; readonly timerId: string; readonly fireAtMs: number }
  | { readonly type: 'clearTimer'; readonly timerId: string }
  | { readonly type: 'finishPlan'; readonly status: FinalPlanStatus };

import { SPIFFE_IDS } from '@neural-hive/contracts';

/** Everything that the API does, and who may have it done. What is not listed is refused. */
export const OPERATIONS = {
  SubmitPlan: [SPIFFE_IDS.operator],
  ApprovePlan: [SPIFFE_IDS.operator],
  RejectPlan: [SPIFFE_IDS.operator],
  CancelPlan: [SPIFFE_IDS.operator],
  PausePlan: [SPIFFE_IDS.operator],
  ResumePlan: [SPIFFE_IDS.operator],
  GetPlan: [SPIFFE_IDS.operator],
  ListPlans: [SPIFFE_IDS.operator],
  WatchPlan: [SPIFFE_IDS.operator],
} as const satisfies Record<string, readonly string[]>;

export type Operation = keyof typeof OPERATIONS;

import {
  type CognitivePlan,
  type ConsolidatedDecision,
  cognitivePlan,
  consolidatedDecision,
  type TaskType,
} from '@neural-hive/contracts';

export interface TaskDraft {
  readonly id: string;
  readonly type?: TaskType;
  readonly needs?: readonly string[];
  readonly parameters?: Record<string, string>;
}

/** A plan that nothing is wrong with; `overrides` go over it. */
export function planOf(tasks: readonly TaskDraft[], overrides: Partial<CognitivePlan> = {}): CognitivePlan {
  return cognitivePlan.parse({
    plan_id: 'plan-1',
    intent_id: 'intent-1',
    tasks: tasks.map(({ id, type = 'EXECUTE', needs = [], parameters = {} }) => ({
      task_id: id,
      task_type: type,
      description: `does ${id}`,
      dependencies: [...needs],
      parameters,
    })),
    execution_order: tasks.map(({ id }) => id),
    risk_score: 0.1,
    risk_band: 'low',
    created_at: 1_000,
    original_domain: 'TECHNICAL',
    ...overrides,
  });
}

/** A decision to run the plan, which it brings along; `overrides` go over it. */
export function decisionOf(plan: CognitivePlan, overrides: Partial<ConsolidatedDecision> = {}): ConsolidatedDecision {
  return consolidatedDecision.parse({
    decision_id: `decision-${plan.plan_id}`,
    plan_id: plan.plan_id,
    intent_id: plan.intent_id,
    final_decision: 'approve',
    consensus_method: 'unanimous',
    aggregated_confidence: 0.9,
    aggregated_risk: 0.1,
    cognitive_plan: plan,
    created_at: 1_000,
    ...overrides,
  });
}

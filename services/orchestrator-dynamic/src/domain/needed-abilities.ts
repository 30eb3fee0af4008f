import type { TaskType } from '@neural-hive/contracts';
import type { PlanState } from './plan-state.ts';
import { COMPENSATED_TYPES } from './stopping.ts';

/** What a plan needs somebody to be able to do. */
export interface NeededAbility {
  readonly taskType: TaskType;
  readonly capabilities: readonly string[];
}

/** Everything that the plan needs, each need once. */
export function neededAbilities({ plan }: Pick<PlanState, 'plan'>): readonly NeededAbility[] {
  const needs = new Map<string, NeededAbility>();
  const need = (taskType: TaskType, required: readonly string[]): void => {
    const capabilities = [...new Set(required)].sort();
    needs.set(JSON.stringify([taskType, capabilities]), { taskType, capabilities });
  };
  for (const { task_type: taskType, required_capabilities: required } of plan.tasks) {
    need(taskType, required);
    // What cannot be undone must not be begun.
    if (COMPENSATED_TYPES.includes(taskType)) need('COMPENSATE', []);
  }
  return [...needs.values()];
}

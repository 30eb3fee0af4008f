import { randomBytes } from 'node:crypto';

export interface PlannedTask {
  readonly task_id: string;
  readonly task_type: string;
  readonly dependencies?: readonly string[];
  readonly parameters?: Readonly<Record<string, string>>;
}

/** A plan that no other test has the id of. */
export function planOf(tasks: readonly PlannedTask[], more: Readonly<Record<string, unknown>> = {}) {
  return {
    plan_id: `e2e-${randomBytes(6).toString('hex')}`,
    intent_id: 'e2e',
    tasks: tasks.map((task) => ({ description: task.task_id, ...task })),
    execution_order: tasks.map(({ task_id }) => task_id),
    risk_score: 0.1,
    risk_band: 'low',
    created_at: Date.now(),
    original_domain: 'TECHNICAL',
    ...more,
  };
}

export const build = (project: string, task_id = 'build'): PlannedTask => ({
  task_id,
  task_type: 'BUILD',
  parameters: { program: 'tsc-build', project },
});

export const deploy = (target: string, after = 'build'): PlannedTask => ({
  task_id: 'deploy',
  task_type: 'DEPLOY',
  dependencies: [after],
  parameters: { target, artifact_from: after },
});

/** Reads something that everybody may. */
export const query = (task_id: string, dependencies: readonly string[] = []): PlannedTask => ({
  task_id,
  task_type: 'QUERY',
  dependencies,
  parameters: { statement: 'select count(*) as released from releases.history' },
});

import { asOperator, type Operator } from '../client/operator.ts';
import type { PlanVerb, PlanView } from '../client/orchestrator-client.ts';
import { readPlanFile } from '../client/plan-file.ts';
import { EXIT } from '../failure.ts';
import type { Output } from '../output.ts';
import { describePlan, describeProgress, exitCodeOf } from '../progress.ts';

interface Options {
  readonly home?: string;
}

export async function submitPlan(
  file: string,
  options: Options & { watch: boolean; approve: boolean; id?: string },
  output: Output,
): Promise<number> {
  const plan = readPlanFile(file);
  if (options.id !== undefined) plan.plan_id = options.id;
  return asOperator(options.home, async (operator) => {
    let view = await operator.orchestrator.submit(plan);
    output.line(`submitted ${view.id} as ${view.submittedBy}: ${view.status}`);
    if (options.approve && view.status === 'AWAITING_APPROVAL') {
      view = await operator.orchestrator.decide(view.id, 'approve', 'approved with --approve');
    }
    if (options.watch) view = await follow(operator, view.id, output);
    return conclude(view, output);
  });
}

/** Prints what happens until the plan is final. */
export async function follow(
  { orchestrator }: Pick<Operator, 'orchestrator'>,
  id: string,
  output: Output,
  signal?: AbortSignal,
): Promise<PlanView> {
  for await (const line of orchestrator.progress(id, signal)) {
    const text = describeProgress(line);
    if (text !== undefined) output.line(text);
    if (line.type === 'plan' && line.status === 'AWAITING_APPROVAL') {
      output.line(`  waiting: approve it with \`npx hive plan approve ${id}\``);
    }
  }
  return orchestrator.show(id);
}

export function showPlan(id: string, options: Options, output: Output): Promise<number> {
  return asOperator(options.home, async ({ orchestrator }) => {
    const view = await orchestrator.show(id);
    for (const line of describePlan(view)) output.line(line);
    output.result(view);
    return EXIT.ok;
  });
}

export function listPlans(options: Options & { status?: string; limit: string }, output: Output): Promise<number> {
  return asOperator(options.home, async ({ orchestrator }) => {
    const plans = await orchestrator.list({ limit: options.limit, ...(options.status && { status: options.status }) });
    for (const { id, status, submittedAtMs, submittedBy } of plans) {
      output.line(`${id.padEnd(40)} ${status.padEnd(17)} ${new Date(submittedAtMs).toISOString()} ${submittedBy}`);
    }
    output.result({ plans });
    return EXIT.ok;
  });
}

export function decidePlan(
  verb: PlanVerb,
  id: string,
  options: Options & { reason?: string },
  output: Output,
): Promise<number> {
  return asOperator(options.home, async ({ orchestrator }) => {
    const view = await orchestrator.decide(id, verb, options.reason);
    output.line(`plan ${view.id}: ${view.status}${view.paused && !view.final ? ', paused' : ''}`);
    output.result(view);
    return EXIT.ok;
  });
}

function conclude(view: PlanView, output: Output): number {
  if (view.final) for (const line of describePlan(view)) output.line(line);
  output.result(view);
  return exitCodeOf(view);
}

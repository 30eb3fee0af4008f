import { type CognitivePlan, type ConsolidatedDecision, consolidatedDecision } from '@neural-hive/contracts';
import { z } from 'zod';
import { checkPlan, jsonPath, type PlanProblem, unstorableText } from './plan-problems.ts';

export type CheckedDecision =
  | { readonly ok: true; readonly decision: ConsolidatedDecision; readonly plan: CognitivePlan }
  | { readonly ok: false; readonly problems: readonly PlanProblem[] };

/** The plan inside is read apart, so that its problems are those of a plan. */
const around = consolidatedDecision.extend({ cognitive_plan: z.unknown().optional() });

/**
 * Reads an untrusted decision with its plan inside. Lists every problem of both. A plan that is only referred to would
 * have to be looked up: nothing here keeps plans that nobody submitted.
 */
export function checkDecision(value: unknown, nowMs: number): CheckedDecision {
  const parsed = around.safeParse(value);
  const problems: PlanProblem[] = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => ({ path: jsonPath(path), message }));
  const { cognitive_plan: inside, ...own } = isRecord(value) ? value : {};
  problems.push(...unstorableText(own, []));
  if (inside === undefined || inside === null) {
    problems.push({ path: '$.cognitive_plan', message: 'is required: a decision must bring its plan along' });
    return { ok: false, problems };
  }
  const checked = checkPlan(inside, nowMs);
  if (!checked.ok) {
    problems.push(
      ...checked.problems.map(({ path, message }) => ({ path: `$.cognitive_plan${path.slice(1)}`, message })),
    );
  }
  problems.push(...disagreements(own, inside, nowMs));
  if (!parsed.success || !checked.ok || problems.length > 0) return { ok: false, problems };
  // The plan lies beside the decision already.
  return { ok: true, plan: checked.plan, decision: { ...parsed.data, cognitive_plan: null } };
}

function* disagreements(
  decision: Readonly<Record<string, unknown>>,
  plan: unknown,
  nowMs: number,
): Generator<PlanProblem> {
  for (const name of ['plan_id', 'intent_id']) {
    const [outer, inner] = [decision[name], isRecord(plan) ? plan[name] : undefined];
    if (typeof outer !== 'string' || typeof inner !== 'string' || outer === inner) continue;
    yield { path: `$.${name}`, message: `is not that of the plan inside, ${JSON.stringify(inner)}` };
  }
  const { valid_until: validUntil } = decision;
  if (typeof validUntil === 'number' && validUntil <= nowMs) {
    yield { path: '$.valid_until', message: `the decision expired at ${new Date(validUntil).toISOString()}` };
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

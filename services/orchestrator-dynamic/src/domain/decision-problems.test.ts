import { describe, expect, test } from 'vitest';
import { decisionOf, planOf } from '../testing/plans.ts';
import { checkDecision } from './decision-problems.ts';

const NOW = 10_000;
const plan = planOf([{ id: 'a' }, { id: 'b', needs: ['a'] }]);

function pathsOf(value: unknown): readonly string[] {
  const checked = checkDecision(value, NOW);
  return checked.ok ? [] : checked.problems.map(({ path }) => path).sort();
}

describe('a decision', () => {
  test('is taken apart from the plan that it brings along', () => {
    const decision = decisionOf(plan, { final_decision: 'conditional' });
    expect(checkDecision(decision, NOW)).toEqual({ ok: true, plan, decision: { ...decision, cognitive_plan: null } });
  });

  test('that only refers to its plan is refused', () => {
    expect(pathsOf({ ...decisionOf(plan), cognitive_plan: null })).toEqual(['$.cognitive_plan']);
  });

  test('has every problem listed, its own and those of the plan', () => {
    const bad = {
      ...decisionOf(plan),
      final_decision: 'perhaps',
      plan_id: 'other',
      intent_id: plan.intent_id,
      valid_until: NOW,
      reasoning_summary: 'half \ud800',
      cognitive_plan: { ...plan, risk_band: 'purple', execution_order: ['a'] },
    };
    expect(pathsOf(bad)).toEqual([
      '$.cognitive_plan.execution_order',
      '$.cognitive_plan.risk_band',
      '$.final_decision',
      '$.plan_id',
      '$.reasoning_summary',
      '$.valid_until',
    ]);
  });

  test.each([[null], ['text'], [[]], [{}]])('that is %j is refused', (value) => {
    expect(pathsOf(value)).toContain('$.cognitive_plan');
  });
});

import { describe, expect, test } from 'vitest';
import { PlanSimulation } from '../testing/plan-simulation.ts';
import { decisionOf, planOf } from '../testing/plans.ts';
import { ticketIdOf } from './ticket-id.ts';

const id = (taskId: string) => ticketIdOf('plan-1', taskId);
const OPERATOR = 'spiffe://neural-hive.local/operator';

describe('approval', () => {
  test('a plan that no rule holds back starts at once', () => {
    const simulation = new PlanSimulation(planOf([{ id: 'a' }]));
    expect(simulation.now).toMatchObject({ status: 'ADMITTING', approval: { verdict: 'not_required' } });
    expect(simulation.now.decision.final_decision).toBe('approve');
  });

  test.each([
    [{ requires_approval: true }],
    [{ is_destructive: true }],
    [{ destructive_tasks: ['a'] }],
    [{ risk_band: 'high' as const }],
    [{ risk_band: 'critical' as const }],
  ])('%j waits, publishes nothing, and its direct decision approves nothing', (overrides) => {
    const simulation = new PlanSimulation(planOf([{ id: 'a' }], overrides));
    simulation.admit();
    expect(simulation.now).toMatchObject({ status: 'AWAITING_APPROVAL', approval: { verdict: 'pending' } });
    expect(simulation.now.decision.final_decision).toBe('review_required');
    expect(simulation.publications).toEqual([]);
    simulation.apply({ type: 'approved', by: OPERATOR, comment: 'go' });
    simulation.admit();
    expect(simulation.now).toMatchObject({
      status: 'RUNNING',
      approval: { verdict: 'approved', by: OPERATOR, comment: 'go' },
    });
    expect(simulation.publications).toEqual([`${id('a')}:0`]);
  });

  test('a rejected plan ends, and cannot be approved afterwards', () => {
    const simulation = new PlanSimulation(planOf([{ id: 'a' }], { requires_approval: true }));
    simulation.apply({ type: 'rejected', by: OPERATOR, comment: null });
    expect(simulation.now.status).toBe('REJECTED');
    const late = simulation.apply({ type: 'approved', by: OPERATOR, comment: null });
    expect(late.refusal).toContain('REJECTED');
    expect(simulation.publications).toEqual([]);
  });

  test.each(['review_required', 'conditional'] as const)('a decision %s waits for a person', (final_decision) => {
    const plan = planOf([{ id: 'a' }]);
    const simulation = new PlanSimulation(plan, { decision: decisionOf(plan, { final_decision }) });
    simulation.admit();
    expect(simulation.now).toMatchObject({
      status: 'AWAITING_APPROVAL',
      approval: { reasons: [`the decision is ${final_decision}`] },
    });
    expect(simulation.publications).toEqual([]);
    simulation.apply({ type: 'approved', by: OPERATOR, comment: null });
    simulation.admit();
    expect(simulation.publications).toEqual([`${id('a')}:0`]);
  });

  test('a decision that asks for human review waits, whatever it decides', () => {
    const plan = planOf([{ id: 'a' }]);
    const decision = decisionOf(plan, { requires_human_review: true });
    expect(new PlanSimulation(plan, { decision }).now.status).toBe('AWAITING_APPROVAL');
  });

  test('a decision that approves does not approve what the plan itself has to wait for', () => {
    const plan = planOf([{ id: 'a' }], { is_destructive: true });
    expect(new PlanSimulation(plan, { decision: decisionOf(plan) }).now.status).toBe('AWAITING_APPROVAL');
    const harmless = planOf([{ id: 'a' }]);
    expect(new PlanSimulation(harmless, { decision: decisionOf(harmless) }).now.status).toBe('ADMITTING');
  });

  test('a decision that rejects ends the plan', () => {
    const plan = planOf([{ id: 'a' }]);
    const simulation = new PlanSimulation(plan, { decision: decisionOf(plan, { final_decision: 'reject' }) });
    expect(simulation.now.status).toBe('REJECTED');
  });

  test('an approval comes in time only until the decision ends, too', () => {
    const plan = planOf([{ id: 'a' }], { valid_until: 99_000 });
    const decision = decisionOf(plan, { final_decision: 'conditional', valid_until: 50_000 });
    expect(new PlanSimulation(plan, { decision }).timers.get('approval-expiry')).toBe(50_000);
  });

  test('where two people are needed, who submitted the plan may reject and not approve it', () => {
    const plan = planOf([{ id: 'a' }], { requires_approval: true });
    const simulation = new PlanSimulation(plan, { policy: { selfApproval: false } });
    expect(simulation.apply({ type: 'approved', by: OPERATOR, comment: null }).refusal).toContain('may not approve');
    expect(simulation.now.status).toBe('AWAITING_APPROVAL');
    simulation.apply({ type: 'approved', by: `${OPERATOR}/second`, comment: null });
    expect(simulation.now.status).toBe('ADMITTING');
  });

  test('a plan whose own status is rejected never starts', () => {
    expect(new PlanSimulation(planOf([{ id: 'a' }], { status: 'rejected' })).now.status).toBe('REJECTED');
  });

  test('a plan that nobody approves in time fails', () => {
    const simulation = new PlanSimulation(planOf([{ id: 'a' }], { requires_approval: true, valid_until: 99_000 }));
    simulation.fire('approval-expiry');
    expect(simulation.now).toMatchObject({ status: 'FAILED', failure: { errorClass: 'expired' } });
  });
});

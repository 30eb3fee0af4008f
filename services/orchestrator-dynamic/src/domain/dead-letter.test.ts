import { describe, expect, test } from 'vitest';
import { PlanSimulation } from '../testing/plan-simulation.ts';
import { decisionOf, planOf } from '../testing/plans.ts';
import { directDecision } from './approval.ts';
import { rerunOf } from './dead-letter.ts';
import { compensationIdOf, ticketIdOf } from './ticket-id.ts';

const id = (taskId: string) => ticketIdOf('plan-1', taskId);
const OPERATOR = 'spiffe://neural-hive.local/operator';

function running(...args: Parameters<typeof planOf>): PlanSimulation {
  const simulation = new PlanSimulation(planOf(...args));
  simulation.admit();
  return simulation;
}

function complete(simulation: PlanSimulation, ticketId: string): void {
  simulation.claim(ticketId);
  simulation.finish(ticketId);
}

/** Uses up every attempt that a ticket has. */
function exhaust(simulation: PlanSimulation, ticketId: string): void {
  for (let retry = 1; simulation.queued.has(ticketId); retry += 1) {
    simulation.claim(ticketId);
    simulation.fail(ticketId, 'backend');
    const timerId = `retry:${ticketId}:${retry}`;
    if (simulation.timers.has(timerId)) simulation.fire(timerId);
  }
}

describe('a ticket is kept as a dead letter', () => {
  test('when every attempt that was worth it has failed', () => {
    const simulation = running([{ id: 'a' }]);
    exhaust(simulation, id('a'));
    expect(simulation.buried).toMatchObject([
      { ticketId: id('a'), planId: 'plan-1', taskId: 'a', compensates: null, errorClass: 'backend', attempts: 2 },
    ]);
  });

  test.each(['parameters', 'execution'] as const)(
    'and not when it failed with %s, which is an answer',
    (errorClass) => {
      const simulation = running([{ id: 'a' }]);
      simulation.claim(id('a'));
      simulation.fail(id('a'), errorClass);
      expect(simulation.now.status).toBe('FAILED');
      expect(simulation.buried).toEqual([]);
    },
  );

  test('when it silenced one holder after another, and when its deadline passed', () => {
    const poison = running([{ id: 'a' }]);
    poison.claim(id('a'));
    for (let count = 0; count < 11; count += 1) poison.claim(id('a'), { takeover: true });
    poison.fire(`exhausted:${id('a')}`);
    expect(poison.buried).toMatchObject([{ errorClass: 'crash', takeovers: 11 }]);
    const late = running([{ id: 'a' }]);
    late.fire(`deadline:${id('a')}`);
    expect(late.buried).toMatchObject([{ errorClass: 'timeout' }]);
  });

  test('when it was to undo something and could not, whatever failed', () => {
    const simulation = running([
      { id: 'a', type: 'BUILD' },
      { id: 'b', needs: ['a'] },
    ]);
    complete(simulation, id('a'));
    simulation.claim(id('b'));
    simulation.fail(id('b'));
    simulation.claim(compensationIdOf(id('a')));
    simulation.fail(compensationIdOf(id('a')), 'parameters');
    expect(simulation.buried).toMatchObject([{ compensates: id('a'), errorClass: 'parameters' }]);
  });
});

describe('an undo that was given up', () => {
  const undoDeploy = compensationIdOf(id('deploy'));

  /** BUILD and DEPLOY completed, the check failed, and the undo of DEPLOY could not be done. */
  function stuck(): PlanSimulation {
    const simulation = running([
      { id: 'build', type: 'BUILD' },
      { id: 'deploy', type: 'DEPLOY', needs: ['build'] },
      { id: 'check', needs: ['deploy'] },
    ]);
    complete(simulation, id('build'));
    complete(simulation, id('deploy'));
    simulation.claim(id('check'));
    simulation.fail(id('check'));
    exhaust(simulation, undoDeploy);
    expect(simulation.now.status).toBe('FAILED');
    return simulation;
  }
  const statusOf = (simulation: PlanSimulation, taskId: string) => simulation.now.tickets.get(id(taskId))?.status;

  test('is tried again on wish, and what it had left in place is undone as well', () => {
    const simulation = stuck();
    expect([statusOf(simulation, 'build'), statusOf(simulation, 'deploy')]).toEqual(['COMPLETED', 'COMPENSATING']);
    const again = compensationIdOf(undoDeploy);
    expect(simulation.apply({ type: 'retried', ticketId: undoDeploy, by: OPERATOR }).refusal).toBeNull();
    expect(simulation.now).toMatchObject({ status: 'COMPENSATING', endedAtMs: null });
    complete(simulation, again);
    complete(simulation, compensationIdOf(id('build')));
    expect([statusOf(simulation, 'build'), statusOf(simulation, 'deploy')]).toEqual(['COMPENSATED', 'COMPENSATED']);
    expect(simulation.now.status).toBe('FAILED');
    expect(simulation.timers.size).toBe(0);
  });

  test('that fails again is given up again, and can be tried once more', () => {
    const simulation = stuck();
    const again = compensationIdOf(undoDeploy);
    simulation.apply({ type: 'retried', ticketId: undoDeploy, by: OPERATOR });
    expect(simulation.apply({ type: 'retried', ticketId: undoDeploy, by: OPERATOR }).refusal).toContain('ending still');
    exhaust(simulation, again);
    expect(simulation.buried.map(({ ticketId }) => ticketId)).toEqual([undoDeploy, again]);
    simulation.apply({ type: 'retried', ticketId: again, by: OPERATOR });
    complete(simulation, compensationIdOf(again));
    expect(statusOf(simulation, 'deploy')).toBe('COMPENSATED');
  });

  test('is all that can be tried again within a plan', () => {
    const simulation = stuck();
    for (const ticketId of [id('check'), id('build'), 'nothing']) {
      expect(simulation.apply({ type: 'retried', ticketId, by: OPERATOR }).refusal).toContain('only an undo');
    }
  });
});

describe('a rerun', () => {
  const plan = planOf([{ id: 'a' }], { valid_until: 99_000 });
  const direct = directDecision(plan, OPERATOR, 1);

  test('is the same plan under the next id of its own, without the time that is over', () => {
    const first = rerunOf({ plan, decision: direct });
    expect(first).toEqual({
      plan: { ...plan, plan_id: 'plan-1.r1', valid_until: null, metadata: { retry_of: 'plan-1' } },
      decision: undefined,
    });
    const second = first && rerunOf({ plan: first.plan, decision: direct });
    expect(second?.plan.plan_id).toBe('plan-1.r2');
    expect(rerunOf({ plan, decision: direct })).toEqual(first);
  });

  test('waits for a person where the decision about it had it wait', () => {
    const decision = decisionOf(plan, { final_decision: 'conditional', valid_until: 99_000 });
    const again = rerunOf({ plan, decision });
    expect(again?.decision).toMatchObject({ plan_id: 'plan-1.r1', final_decision: 'conditional', valid_until: null });
    expect(again?.decision?.decision_id).not.toBe(decision.decision_id);
  });

  test('has no id when there is no room for one', () => {
    expect(rerunOf({ plan: { ...plan, plan_id: 'x'.repeat(126) }, decision: direct })).toBeUndefined();
  });
});

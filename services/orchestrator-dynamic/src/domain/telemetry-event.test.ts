import { expect, test } from 'vitest';
import { PlanSimulation } from '../testing/plan-simulation.ts';
import { planOf } from '../testing/plans.ts';
import { telemetryOf } from './telemetry-event.ts';
import { ticketIdOf } from './ticket-id.ts';

const id = (taskId: string) => ticketIdOf('plan-1', taskId);

/** Plays events and collects what each of them told. */
function watched(...args: Parameters<typeof planOf>) {
  const simulation = new PlanSimulation(planOf(...args));
  const told: ReturnType<typeof telemetryOf>[number][] = [];
  let before = simulation.state;
  simulation.onDecision = (decision, event) => {
    told.push(...telemetryOf(before, decision, event));
    before = decision.state;
  };
  return { simulation, told };
}

test('a plan is told of when it starts and when it has ended, with what became of its tickets', () => {
  const { simulation, told } = watched([{ id: 'a' }, { id: 'b', needs: ['a'] }], { correlation_id: 'c-1' });
  simulation.admit();
  for (const taskId of ['a', 'b']) {
    simulation.claim(id(taskId));
    simulation.finish(id(taskId));
  }
  expect(told.map(({ event_type }) => event_type)).toEqual(['FLOW_C_STARTED', 'FLOW_C_COMPLETED']);
  expect(told[1]).toMatchObject({
    plan_id: 'plan-1',
    correlation_id: 'c-1',
    status: 'COMPLETED',
    success: true,
    sla_compliant: true,
    metrics: { tickets: 2, completed: 2, retries: 0, takeovers: 0 },
  });
  expect(told[1]?.duration_ms).toBeGreaterThan(0);
});

test('a ticket that failed for good is told of, and one that is tried again is not', () => {
  const { simulation, told } = watched([{ id: 'a' }]);
  simulation.admit();
  simulation.claim(id('a'));
  simulation.fail(id('a'), 'backend');
  expect(told).toHaveLength(1);
  simulation.fire(`retry:${id('a')}:1`);
  simulation.claim(id('a'));
  simulation.fail(id('a'), 'backend');
  expect(told.slice(1)).toMatchObject([
    { event_type: 'TICKET_FAILED', ticket_id: id('a'), worker_id: 'agent', error_type: 'backend' },
    { event_type: 'FLOW_C_COMPLETED', success: false, error: 'no', metrics: { failed: 1, retries: 1 } },
  ]);
});

test('a deadline that passes is a violation', () => {
  const { simulation, told } = watched([{ id: 'a' }]);
  simulation.admit();
  simulation.fire(`deadline:${id('a')}`);
  expect(told.slice(1)).toMatchObject([
    { event_type: 'SLA_VIOLATION', ticket_id: id('a'), sla_compliant: false },
    { event_type: 'FLOW_C_COMPLETED', sla_compliant: false, metrics: { cancelled: 1 } },
  ]);
});

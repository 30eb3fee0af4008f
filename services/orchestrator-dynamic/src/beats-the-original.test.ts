/** One test for each fault of the original orchestrator that the plan engine is judged by; docs/beats-the-original.md lists them all. */
import { executionTicket } from '@neural-hive/contracts';
import { expect, test } from 'vitest';
import { checkDecision, checkPlan, isFinal, telemetryOf } from './domain/index.ts';
import { compensationIdOf, ticketIdOf } from './domain/ticket-id.ts';
import { PlanSimulation } from './testing/plan-simulation.ts';
import { decisionOf, planOf } from './testing/plans.ts';

const id = (taskId: string): string => ticketIdOf('plan-1', taskId);
const OPERATOR = 'spiffe://neural-hive.local/operator';
const NOW_MS = 5_000;

function running(...args: Parameters<typeof planOf>): PlanSimulation {
  const simulation = new PlanSimulation(planOf(...args));
  simulation.admit();
  return simulation;
}

function complete(simulation: PlanSimulation, ticketId: string): void {
  simulation.claim(ticketId);
  simulation.finish(ticketId);
}

const problemsOf = (checked: ReturnType<typeof checkPlan>): readonly string[] =>
  checked.ok ? [] : checked.problems.map(({ path, message }) => `${path}: ${message}`);

test('item 23: a plan ends when its tickets have, by what became of them, and what a failed one completed is undone', () => {
  const good = running([{ id: 'a' }, { id: 'b', needs: ['a'] }]);
  complete(good, id('a'));
  expect(isFinal(good.now.status)).toBe(false);
  complete(good, id('b'));
  expect(good.now.status).toBe('COMPLETED');

  const bad = running([
    { id: 'a', type: 'BUILD' },
    { id: 'b', needs: ['a'] },
  ]);
  complete(bad, id('a'));
  bad.claim(id('b'));
  bad.fail(id('b'));
  expect(bad.now.status).toBe('COMPENSATING');
  expect(bad.queued).toEqual(new Set([compensationIdOf(id('a'))]));
  complete(bad, compensationIdOf(id('a')));
  expect(bad.now.status).toBe('FAILED');
  expect(bad.now.tickets.get(id('a'))?.status).toBe('COMPENSATED');
});

test('item 24: cancel takes the tickets from whoever holds them, and the end of a plan is told as an event', () => {
  const simulation = running([{ id: 'a' }, { id: 'b' }]);
  simulation.claim(id('a'));
  const before = simulation.now;
  const decision = simulation.apply({ type: 'cancel', by: OPERATOR, reason: 'enough' });
  const cancelled = decision.commands.flatMap((command) => (command.type === 'cancelTicket' ? [command.ticketId] : []));
  expect(cancelled.sort()).toEqual([id('a'), id('b')].sort());
  expect([simulation.queued.size, simulation.claimed.size, simulation.now.status]).toEqual([0, 0, 'CANCELLED']);
  const event = simulation.events.at(-1);
  if (event === undefined) throw new Error('nothing happened');
  expect(telemetryOf(before, decision, event)).toContainEqual(
    expect.objectContaining({ event_type: 'FLOW_C_COMPLETED', plan_id: 'plan-1' }),
  );
});

test('item 25: ids come from plan and task, so that a plan that arrives twice makes one set of tickets', () => {
  const [first, second] = [running([{ id: 'a' }, { id: 'b' }]), running([{ id: 'a' }, { id: 'b' }])];
  expect([...first.now.tickets.keys()]).toEqual([id('a'), id('b')]);
  expect([...second.now.tickets.keys()]).toEqual([...first.now.tickets.keys()]);
  expect(ticketIdOf('plan-2', 'a')).not.toBe(id('a'));
  expect(compensationIdOf(id('a'))).toBe(compensationIdOf(id('a')));
  // A decision about the plan makes no second set either.
  const plan = planOf([{ id: 'a' }, { id: 'b' }]);
  const decided = new PlanSimulation(plan, { decision: decisionOf(plan) });
  decided.admit();
  expect([...decided.now.tickets.keys()]).toEqual([...first.now.tickets.keys()]);
});

test('item 26: nothing that has to wait runs unapproved, direct submission included', () => {
  const free = planOf([{ id: 'a' }]);
  const direct = new PlanSimulation(planOf([{ id: 'a' }], { risk_band: 'high' }));
  const waiting = [
    direct,
    ...(['review_required', 'conditional'] as const).map(
      (final_decision) => new PlanSimulation(free, { decision: decisionOf(free, { final_decision }) }),
    ),
    new PlanSimulation(free, { decision: decisionOf(free, { requires_human_review: true }) }),
  ];
  expect(new PlanSimulation(free).now.status).toBe('ADMITTING');
  for (const simulation of waiting) {
    simulation.admit();
    expect([simulation.now.status, simulation.publications]).toEqual(['AWAITING_APPROVAL', []]);
  }
  direct.apply({ type: 'approved', by: OPERATOR, comment: null });
  direct.admit();
  expect(direct.now).toMatchObject({ status: 'RUNNING', approval: { by: OPERATOR } });
});

test('item 27: a decision that cannot be read is answered with every problem, and a ticket given up is kept', () => {
  const plan = planOf([{ id: 'a' }]);
  expect(checkDecision(JSON.parse(JSON.stringify(decisionOf(plan))), NOW_MS).ok).toBe(true);
  const bad = checkDecision({ ...decisionOf(plan), final_decision: 'perhaps', aggregated_risk: 'low' }, NOW_MS);
  expect(bad.ok ? [] : bad.problems.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['$.final_decision', '$.aggregated_risk']),
  );
  const simulation = running([{ id: 'a' }]);
  for (const retry of [1, 2]) {
    simulation.claim(id('a'));
    simulation.fail(id('a'), 'backend');
    if (simulation.timers.has(`retry:${id('a')}:${retry}`)) simulation.fire(`retry:${id('a')}:${retry}`);
  }
  expect(simulation.buried).toMatchObject([{ ticketId: id('a'), errorClass: 'backend' }]);
});

test('item 28: every ticket, an undo included, fits the schema and has the priority and level of its plan', () => {
  const simulation = running(
    [
      { id: 'a', type: 'BUILD' },
      { id: 'b', needs: ['a'] },
    ],
    { original_priority: 'CRITICAL', original_security_level: 'RESTRICTED' },
  );
  const published: unknown[] = [];
  simulation.onDecision = ({ commands }) => {
    for (const command of commands) if (command.type === 'publishTicket') published.push(command.ticket);
  };
  complete(simulation, id('a'));
  simulation.claim(id('b'));
  simulation.fail(id('b'));
  const read = published.map((ticket) => executionTicket.parse(JSON.parse(JSON.stringify(ticket))));
  expect(read.map(({ task_type }) => task_type)).toEqual(['EXECUTE', 'COMPENSATE']);
  for (const ticket of read) {
    expect(ticket).toMatchObject({ priority: 'CRITICAL', security_level: 'RESTRICTED' });
    expect(ticket.decision_id).not.toBe('');
  }
});

test('item 29: a cycle, a task that the order leaves out, and a dependency that is not there are problems', () => {
  const good = planOf([{ id: 'a' }, { id: 'b', needs: ['a'] }]);
  expect(checkPlan(good, NOW_MS).ok).toBe(true);
  const edited = (needs: readonly string[], order: readonly string[]) => ({
    ...good,
    tasks: good.tasks.map((task) => (task.task_id === 'a' ? { ...task, dependencies: needs } : task)),
    execution_order: order,
  });
  expect(problemsOf(checkPlan(edited(['b'], ['a', 'b']), NOW_MS))).toEqual([
    expect.stringMatching(/wait for each other/),
  ]);
  expect(problemsOf(checkPlan(edited([], ['a']), NOW_MS))).toEqual([expect.stringMatching(/"b" .* is not in it/)]);
  expect(problemsOf(checkPlan(edited(['nobody'], ['a', 'b']), NOW_MS))).toEqual([expect.stringMatching(/nobody/)]);
});

test('item 38: a ticket is with the workers only once its dependencies are done, so that none waits in a place of theirs', () => {
  const simulation = running([{ id: 'a' }, { id: 'b', needs: ['a'] }, { id: 'c', needs: ['b'] }]);
  expect(simulation.queued).toEqual(new Set([id('a')]));
  simulation.claim(id('a'));
  expect([simulation.queued.size, simulation.now.tickets.get(id('b'))?.status]).toEqual([0, 'PENDING']);
  simulation.finish(id('a'));
  expect(simulation.queued).toEqual(new Set([id('b')]));
});

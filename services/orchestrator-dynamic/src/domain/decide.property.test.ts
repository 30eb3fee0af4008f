import { ERROR_CLASSES, type ErrorClass, type TaskType } from '@neural-hive/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PlanSimulation } from '../testing/plan-simulation.ts';
import { planOf, type TaskDraft } from '../testing/plans.ts';
import { decide } from './decide.ts';
import { ancestorsOf } from './plan-graph.ts';
import { isFinal, type PlanState } from './plan-state.ts';
import { COMPENSATED_TYPES } from './stopping.ts';

const TYPES: readonly TaskType[] = ['BUILD', 'DEPLOY', 'TEST', 'QUERY', 'EXECUTE'];

/** Tasks that depend on earlier ones only, so the graph has no cycle. */
const graph: fc.Arbitrary<readonly TaskDraft[]> = fc
  .array(fc.record({ type: fc.constantFrom(...TYPES), edges: fc.array(fc.nat(30), { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 10,
  })
  .map((drafts) =>
    drafts.map(({ type, edges }, index) => ({
      id: `t${index}`,
      type,
      needs: index === 0 ? [] : [...new Set(edges.map((edge) => `t${edge % index}`))],
    })),
  );

const failure = fc.option(fc.constantFrom(...ERROR_CLASSES), { freq: 3, nil: null });

interface Drawn {
  readonly tasks: readonly TaskDraft[];
  readonly riskBand: 'low' | 'medium';
  /** Which of the possible steps comes next, and how its attempt ends. */
  readonly choices: fc.Stream<number>;
  readonly outcomes: fc.Stream<ErrorClass | null>;
  readonly cancelAt: number;
  readonly pauseAt: number;
}

const run: fc.Arbitrary<Drawn> = fc.record({
  tasks: graph,
  riskBand: fc.constantFrom('low' as const, 'medium' as const),
  choices: fc.infiniteStream(fc.nat(1_000)),
  outcomes: fc.infiniteStream(failure),
  cancelAt: fc.option(fc.nat(40), { freq: 3, nil: -1 }),
  pauseAt: fc.option(fc.nat(40), { freq: 3, nil: -1 }),
});

/** Plays one plan to its end and checks what must hold after every event. */
function play({ tasks, riskBand, choices, outcomes, cancelAt, pauseAt }: Drawn) {
  const simulation = new PlanSimulation(planOf(tasks, { risk_band: riskBand }));
  simulation.admit();
  const undone: string[] = [];
  for (let step = 0; !isFinal(simulation.now.status); step += 1) {
    expect(step).toBeLessThan(2_000);
    if (step === cancelAt) simulation.apply({ type: 'cancel', by: 'operator', reason: null });
    else if (step === pauseAt) simulation.apply({ type: 'pause', by: 'operator' });
    else takeStep(simulation, choices, outcomes);
    assertPublishedInOrder(simulation.now);
    assertDeadlinesRun(simulation);
    for (const ticket of simulation.now.tickets.values()) {
      if (ticket.status === 'COMPENSATING' && !undone.includes(ticket.taskId)) undone.push(ticket.taskId);
    }
    repeatIsNoOp(simulation);
  }
  return { simulation, undone };
}

function takeStep(simulation: PlanSimulation, choices: fc.Stream<number>, outcomes: fc.Stream<ErrorClass | null>) {
  const steps: (() => void)[] = [];
  if (simulation.paused) steps.push(() => simulation.apply({ type: 'resume', by: 'operator' }));
  else for (const ticketId of simulation.queued) steps.push(() => simulation.claim(ticketId));
  for (const ticketId of simulation.claimed.keys()) {
    steps.push(() => {
      const errorClass = next(outcomes);
      if (errorClass === null) simulation.finish(ticketId);
      else simulation.fail(ticketId, errorClass);
    });
    if (!simulation.paused) steps.push(() => simulation.claim(ticketId, { takeover: true }));
  }
  for (const timerId of simulation.timers.keys()) {
    if (timerId.startsWith('retry:')) steps.push(() => simulation.fire(timerId));
  }
  // A plan that is not final and has nothing left to happen is stuck.
  expect(steps.length).toBeGreaterThan(0);
  steps[next(choices) % steps.length]?.();
}

function next<T>(stream: fc.Stream<T>): T {
  const { value, done } = stream.next();
  if (done === true) throw new Error('the stream ended');
  return value;
}

function assertPublishedInOrder(state: PlanState): void {
  for (const task of state.plan.tasks) {
    const ticket = [...state.tickets.values()].find(({ taskId }) => taskId === task.task_id);
    if (ticket === undefined || ticket.publishedAtMs === null) continue;
    for (const dependency of task.dependencies) {
      const needed = [...state.tickets.values()].find(({ taskId }) => taskId === dependency);
      expect(['COMPLETED', 'COMPENSATING', 'COMPENSATED']).toContain(needed?.status);
    }
  }
}

/** Every ticket that was published and has not ended has a deadline, and none has one while its plan is paused. */
function assertDeadlinesRun({ now, timers }: PlanSimulation): void {
  for (const { ticketId, publishedAtMs, stage } of now.tickets.values()) {
    const runs = publishedAtMs !== null && stage !== 'ended' && !now.paused;
    expect(timers.has(`deadline:${ticketId}`)).toBe(runs);
  }
}

/** Results and timers that come a second time change nothing. */
function repeatIsNoOp({ now, events }: PlanSimulation): void {
  const last = events.at(-1);
  if (last === undefined || last.type === 'cancel' || last.type === 'pause' || last.type === 'resume') return;
  const again = decide(now, last);
  expect(again.commands).toEqual([]);
  expect(again.state).toBe(now);
}

test('every plan ends, whatever fails, and publishes each attempt once, after its dependencies', () => {
  fc.assert(
    fc.property(run, (drawn) => {
      const { simulation } = play(drawn);
      const { state, publications, queued, claimed, timers } = simulation;
      expect(new Set(publications).size).toBe(publications.length);
      expect([queued.size, claimed.size, timers.size]).toEqual([0, 0, 0]);
      const statuses = [...simulation.now.tickets.values()].map(({ status }) => status);
      expect(statuses).not.toContain('PENDING');
      expect(statuses).not.toContain('RUNNING');
      if (state?.status === 'COMPLETED') expect(new Set(statuses)).toEqual(new Set(['COMPLETED']));
    }),
    { numRuns: 300 },
  );
});

test('what was completed is undone in reverse order, one after another, and only what has an undo', () => {
  fc.assert(
    fc.property(run, (drawn) => {
      const { simulation, undone } = play(drawn);
      const { tasks } = simulation.now.plan;
      for (const [index, taskId] of undone.entries()) {
        expect(COMPENSATED_TYPES).toContain(tasks.find(({ task_id }) => task_id === taskId)?.task_type);
        const ancestors = ancestorsOf(tasks, taskId);
        for (const earlier of undone.slice(0, index)) expect(ancestors.has(earlier)).toBe(false);
      }
      if (simulation.now.status === 'COMPLETED') expect(undone).toEqual([]);
      else expect(leftInPlace(simulation.now)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

/** Completed tickets with an undo that nothing which could not be undone stands on. */
function leftInPlace(state: PlanState): string[] {
  const tickets = [...state.tickets.values()].filter(({ compensates }) => compensates === null);
  const stuck = tickets.filter(({ status }) => status === 'COMPENSATING');
  const kept = new Set(stuck.flatMap(({ taskId }) => [...ancestorsOf(state.plan.tasks, taskId)]));
  return tickets
    .filter(({ status, taskType }) => status === 'COMPLETED' && COMPENSATED_TYPES.includes(taskType))
    .flatMap(({ taskId }) => (kept.has(taskId) ? [] : [taskId]));
}

test('item 34: the same events give the same states again', () => {
  fc.assert(
    fc.property(run, (drawn) => {
      const { simulation } = play(drawn);
      let state: PlanState | undefined;
      for (const event of simulation.events) state = decide(state, event).state;
      expect(state).toEqual(simulation.state);
    }),
    { numRuns: 50 },
  );
});

import { describe, expect, test } from 'vitest';
import { PlanSimulation } from '../testing/plan-simulation.ts';
import { planOf } from '../testing/plans.ts';
import { compensationIdOf, ticketIdOf } from './ticket-id.ts';

const id = (taskId: string) => ticketIdOf('plan-1', taskId);
const OPERATOR = 'spiffe://neural-hive.local/operator';

function statusOf(simulation: PlanSimulation, taskId: string) {
  return simulation.now.tickets.get(id(taskId))?.status;
}

function running(...args: Parameters<typeof planOf>): PlanSimulation {
  const simulation = new PlanSimulation(planOf(...args));
  simulation.admit();
  return simulation;
}

function complete(simulation: PlanSimulation, ticketId: string): void {
  simulation.claim(ticketId);
  simulation.finish(ticketId);
}

describe('tickets', () => {
  test('carry the priority, security level, retries and quality of service of their plan', () => {
    const plan = planOf([{ id: 'a' }], {
      risk_band: 'medium',
      original_priority: 'CRITICAL',
      original_security_level: 'RESTRICTED',
    });
    const simulation = new PlanSimulation(plan);
    const { commands } = simulation.admit();
    expect(commands[0]).toMatchObject({
      type: 'publishTicket',
      ticket: {
        priority: 'CRITICAL',
        security_level: 'RESTRICTED',
        sla: { timeout_ms: 180_000, max_retries: 2 },
        qos: { delivery_mode: 'AT_LEAST_ONCE' },
      },
    });
  });

  test('are published only when all dependencies are COMPLETED', () => {
    const simulation = running([{ id: 'a' }, { id: 'b' }, { id: 'c', needs: ['a', 'b'] }]);
    complete(simulation, id('a'));
    expect(simulation.queued).toEqual(new Set([id('b')]));
    complete(simulation, id('b'));
    expect(simulation.queued).toEqual(new Set([id('c')]));
    complete(simulation, id('c'));
    expect(simulation.now.status).toBe('COMPLETED');
  });

  test('carry what their dependencies came to, save what is too long for a ticket', () => {
    const simulation = running([
      { id: 'a', type: 'BUILD' },
      { id: 'b', needs: ['a'] },
    ]);
    simulation.claim(id('a'));
    const output = { artifact: 'sha', report: 'x'.repeat(2_000) };
    const { commands } = simulation.finish(id('a'), { output });
    expect(commands.find(({ type }) => type === 'publishTicket')).toMatchObject({
      ticket: { metadata: { 'dependency.a.artifact': 'sha' } },
    });
    expect(JSON.stringify(commands)).not.toContain('xxx');
  });

  test('that are ready together are published with the longest path first', () => {
    const plan = planOf([{ id: 'short' }, { id: 'long' }, { id: 'middle' }, { id: 'end', needs: ['long'] }]);
    const tasks = plan.tasks.map((task) =>
      task.task_id === 'middle' ? { ...task, estimated_duration_ms: 90_000 } : task,
    );
    const simulation = new PlanSimulation({ ...plan, tasks });
    const { commands } = simulation.admit();
    const published = commands.flatMap((command) => (command.type === 'publishTicket' ? [command] : []));
    expect(published.map(({ ticket }) => ticket.task_id)).toEqual(['long', 'middle', 'short']);
    expect(published.map(({ rankMs }) => simulation.nowMs - rankMs)).toEqual([120_000, 90_000, 60_000]);
  });

  test('however long the path behind them is, gain no more than a quarter of an hour on other plans', () => {
    const tasks = Array.from({ length: 40 }, (_, index) => ({
      id: `t${index}`,
      needs: index === 0 ? [] : [`t${index - 1}`],
    }));
    const simulation = new PlanSimulation(planOf(tasks));
    const { commands } = simulation.admit();
    expect(commands[0]).toMatchObject({ rankMs: simulation.nowMs - 900_000 });
  });

  test('a transient failure is tried again after a wait, as often as the risk band allows', () => {
    const simulation = running([{ id: 'a' }]);
    simulation.claim(id('a'));
    simulation.fail(id('a'), 'backend');
    expect(statusOf(simulation, 'a')).toBe('RUNNING');
    simulation.fire(`retry:${id('a')}:1`);
    simulation.claim(id('a'));
    simulation.fail(id('a'), 'backend');
    expect(statusOf(simulation, 'a')).toBe('FAILED');
    expect(simulation.publications).toEqual([`${id('a')}:0`, `${id('a')}:1`]);
    expect(simulation.now).toMatchObject({ status: 'FAILED', failure: { taskId: 'a', errorClass: 'backend' } });
  });

  test.each(['parameters', 'execution', 'fenced'] as const)('a failure of class %s is final', (errorClass) => {
    const simulation = running([{ id: 'a' }]);
    simulation.claim(id('a'));
    simulation.fail(id('a'), errorClass);
    expect(simulation.now.status).toBe('FAILED');
  });

  test('a result of an older claim than the newest counts for nothing', () => {
    const simulation = running([{ id: 'a' }]);
    const old = simulation.claim(id('a'));
    simulation.claim(id('a'), { takeover: true });
    const late = simulation.apply({
      type: 'result',
      ticketId: id('a'),
      fencingToken: old,
      outcome: {
        status: 'COMPLETED',
        output: {},
        outputReference: null,
        errorClass: null,
        errorMessage: null,
        logs: [],
        agentId: 'old',
        spiffeId: null,
      },
    });
    expect(late.changed).toEqual([]);
    expect(statusOf(simulation, 'a')).toBe('RUNNING');
  });

  test('a ticket that silences one holder after another is given up', () => {
    const simulation = running([{ id: 'a' }]);
    simulation.claim(id('a'));
    for (let count = 0; count < 11; count += 1) simulation.claim(id('a'), { takeover: true });
    simulation.fire(`exhausted:${id('a')}`);
    expect(simulation.now).toMatchObject({ status: 'FAILED', failure: { errorClass: 'crash' } });
  });

  test('a ticket that nobody takes fails its plan at the deadline', () => {
    const simulation = running([{ id: 'a' }]);
    simulation.fire(`deadline:${id('a')}`);
    expect(statusOf(simulation, 'a')).toBe('CANCELLED');
    expect(simulation.now).toMatchObject({ status: 'FAILED', failure: { errorClass: 'timeout' } });
  });
});

describe('a failing plan', () => {
  const chain = [
    { id: 'build', type: 'BUILD' as const },
    { id: 'test', type: 'TEST' as const, needs: ['build'] },
    { id: 'deploy', type: 'DEPLOY' as const, needs: ['test'] },
    { id: 'check', type: 'EXECUTE' as const, needs: ['deploy'] },
    { id: 'after', type: 'EXECUTE' as const, needs: ['check'] },
  ];

  function failedAtCheck(): PlanSimulation {
    const simulation = running(chain);
    for (const taskId of ['build', 'test', 'deploy']) complete(simulation, id(taskId));
    simulation.claim(id('check'));
    simulation.fail(id('check'));
    return simulation;
  }

  test('cancels what has not run and undoes DEPLOY before BUILD', () => {
    const simulation = failedAtCheck();
    expect(statusOf(simulation, 'after')).toBe('CANCELLED');
    const undoDeploy = compensationIdOf(id('deploy'));
    const undoBuild = compensationIdOf(id('build'));
    expect(simulation.queued).toEqual(new Set([undoDeploy]));
    expect(statusOf(simulation, 'deploy')).toBe('COMPENSATING');
    complete(simulation, undoDeploy);
    expect(statusOf(simulation, 'deploy')).toBe('COMPENSATED');
    expect(simulation.queued).toEqual(new Set([undoBuild]));
    complete(simulation, undoBuild);
    expect(simulation.now.status).toBe('FAILED');
    expect(statusOf(simulation, 'test')).toBe('COMPLETED');
  });

  test('tries an undo again also where the original would not be', () => {
    const simulation = failedAtCheck();
    const undo = compensationIdOf(id('deploy'));
    simulation.claim(undo);
    simulation.fail(undo, 'execution');
    simulation.fire(`retry:${undo}:1`);
    complete(simulation, undo);
    expect(statusOf(simulation, 'deploy')).toBe('COMPENSATED');
  });

  test('leaves in place what a failed undo still stands on', () => {
    const simulation = failedAtCheck();
    const undo = compensationIdOf(id('deploy'));
    simulation.claim(undo);
    simulation.fail(undo, 'parameters');
    expect(statusOf(simulation, 'deploy')).toBe('COMPENSATING');
    expect(statusOf(simulation, 'build')).toBe('COMPLETED');
    expect(simulation.now.status).toBe('FAILED');
  });

  test('undoes an EXECUTE that says how, and none that does not', () => {
    const simulation = running([{ id: 'with' }, { id: 'without' }, { id: 'check', needs: ['with', 'without'] }]);
    simulation.claim(id('with'));
    simulation.finish(id('with'), { output: { undo: '{"program":"un-note","values":{}}' } });
    complete(simulation, id('without'));
    simulation.claim(id('check'));
    const { commands } = simulation.fail(id('check'));
    expect(commands.find(({ type }) => type === 'publishTicket')).toMatchObject({
      ticket: { compensates: { ticket_id: id('with'), task_type: 'EXECUTE', output: { undo: expect.any(String) } } },
    });
    complete(simulation, compensationIdOf(id('with')));
    expect(statusOf(simulation, 'without')).toBe('COMPLETED');
    expect(simulation.now.status).toBe('FAILED');
  });

  test('lets what runs finish, then undoes that as well', () => {
    const simulation = running([{ id: 'a', type: 'BUILD' }, { id: 'b' }]);
    simulation.claim(id('a'));
    simulation.claim(id('b'));
    simulation.fail(id('b'));
    expect(simulation.now.status).toBe('STOPPING');
    simulation.finish(id('a'));
    expect(simulation.now.status).toBe('COMPENSATING');
    complete(simulation, compensationIdOf(id('a')));
    expect(simulation.now.status).toBe('FAILED');
  });
});

describe('wishes', () => {
  test('cancel stops what runs, save a DEPLOY, which is undone once it is known', () => {
    const simulation = running([{ id: 'a', type: 'TEST' }, { id: 'd', type: 'DEPLOY' }, { id: 'c' }]);
    simulation.claim(id('a'));
    simulation.claim(id('d'));
    simulation.apply({ type: 'cancel', by: OPERATOR, reason: 'enough' });
    expect(simulation.claimed.has(id('a'))).toBe(false);
    expect(statusOf(simulation, 'a')).toBe('CANCELLED');
    simulation.finish(id('d'));
    complete(simulation, compensationIdOf(id('d')));
    expect(simulation.now.status).toBe('CANCELLED');
    expect(simulation.apply({ type: 'cancel', by: OPERATOR, reason: null }).refusal).toContain('CANCELLED');
  });

  test('a paused plan publishes nothing until it is resumed', () => {
    const simulation = running([{ id: 'a' }, { id: 'b', needs: ['a'] }]);
    simulation.claim(id('a'));
    simulation.apply({ type: 'pause', by: OPERATOR });
    simulation.finish(id('a'));
    expect(simulation.queued.size).toBe(0);
    simulation.apply({ type: 'resume', by: OPERATOR });
    expect(simulation.queued).toEqual(new Set([id('b')]));
  });

  test('a paused plan does not even undo', () => {
    const simulation = running([
      { id: 'a', type: 'BUILD' },
      { id: 'b', needs: ['a'] },
    ]);
    complete(simulation, id('a'));
    simulation.claim(id('b'));
    simulation.apply({ type: 'pause', by: OPERATOR });
    simulation.fail(id('b'));
    expect(simulation.queued.size).toBe(0);
    simulation.apply({ type: 'resume', by: OPERATOR });
    expect(simulation.queued).toEqual(new Set([compensationIdOf(id('a'))]));
  });

  test('while a plan is paused nobody claims what waits already', () => {
    const simulation = running([{ id: 'a' }]);
    simulation.apply({ type: 'pause', by: OPERATOR });
    expect(simulation.paused).toBe(true);
    expect(simulation.apply({ type: 'pause', by: OPERATOR }).commands).toEqual([]);
    simulation.apply({ type: 'resume', by: OPERATOR });
    complete(simulation, id('a'));
    expect(simulation.now.status).toBe('COMPLETED');
  });

  test('a pause costs no ticket any of its deadline, in the queue, running or waiting for a retry', () => {
    const simulation = running([{ id: 'queued' }, { id: 'running' }, { id: 'failed' }]);
    simulation.claim(id('running'));
    simulation.claim(id('failed'));
    simulation.fail(id('failed'), 'backend');
    const ids = ['queued', 'running', 'failed'].map((taskId) => `deadline:${id(taskId)}`);
    const before = ids.map((timerId) => simulation.timers.get(timerId) ?? 0);
    simulation.apply({ type: 'pause', by: OPERATOR });
    expect(ids.filter((timerId) => simulation.timers.has(timerId))).toEqual([]);
    simulation.nowMs += 3_600_000;
    simulation.fire(`retry:${id('failed')}:1`);
    const { commands } = simulation.apply({ type: 'resume', by: OPERATOR });
    const after = ids.map((timerId) => simulation.timers.get(timerId) ?? 0);
    for (const [index, fireAtMs] of after.entries()) {
      expect(fireAtMs - (before[index] ?? 0)).toBeGreaterThanOrEqual(3_600_000);
    }
    const postponed = commands.flatMap((command) => (command.type === 'postponeTicket' ? [command.ticket] : []));
    expect(postponed.map(({ ticket_id, sla }) => [ticket_id, sla.deadline])).toEqual([
      [id('queued'), after[0]],
      [id('running'), after[1]],
    ]);
    expect(simulation.queued).toEqual(new Set([id('queued'), id('failed')]));
  });

  test('a paused plan can be cancelled, and does not wait for anybody to resume it', () => {
    const simulation = running([
      { id: 'a', type: 'BUILD' },
      { id: 'b', needs: ['a'] },
    ]);
    complete(simulation, id('a'));
    simulation.apply({ type: 'pause', by: OPERATOR });
    simulation.apply({ type: 'cancel', by: OPERATOR, reason: null });
    complete(simulation, compensationIdOf(id('a')));
    expect(simulation.now).toMatchObject({ status: 'CANCELLED', paused: false });
  });

  test('a plan that nobody alive can do fails before anything is published', () => {
    const simulation = new PlanSimulation(planOf([{ id: 'a' }]));
    simulation.apply({ type: 'unable', reason: 'nobody does EXECUTE' });
    expect(simulation.now).toMatchObject({ status: 'FAILED', failure: { message: 'nobody does EXECUTE' } });
    expect(simulation.publications).toEqual([]);
  });
});

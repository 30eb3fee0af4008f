import { describe, expect, test } from 'vitest';
import { planOf } from '../testing/plans.ts';
import { checkPlan } from './plan-problems.ts';

const NOW = 50_000;
const good = planOf([{ id: 'a' }, { id: 'b', needs: ['a'] }, { id: 'c', needs: ['b'] }]);

function problemsOf(value: unknown): Record<string, string> {
  const checked = checkPlan(value, NOW);
  return checked.ok ? {} : Object.fromEntries(checked.problems.map(({ path, message }) => [path, message]));
}

function withTask(index: number, patch: Record<string, unknown>): unknown {
  return { ...good, tasks: good.tasks.map((task, at) => (at === index ? { ...task, ...patch } : task)) };
}

test('a good plan has no problem', () => {
  expect(checkPlan(good, NOW)).toMatchObject({ ok: true, plan: { plan_id: 'plan-1' } });
});

describe('a bad plan is refused with the JSON path', () => {
  test.each([
    ['a cycle, by name', withTask(0, { dependencies: ['c'] }), '$.tasks[0].dependencies[0]', /a -> c -> b -> a/],
    ['a task that waits for itself', withTask(0, { dependencies: ['a'] }), '$.tasks[0].dependencies[0]', /a -> a/],
    ['an unknown task type', withTask(1, { task_type: 'DANCE' }), '$.tasks[1].task_type', /Invalid option/],
    ['a COMPENSATE task', withTask(1, { task_type: 'COMPENSATE' }), '$.tasks[1].task_type', /orchestrator alone/],
    ['a duplicate id', withTask(2, { task_id: 'a' }), '$.tasks[2].task_id', /\$\.tasks\[0\] already/],
    ['a dangling id', withTask(2, { dependencies: ['nobody'] }), '$.tasks[2].dependencies[0]', /no task.*"nobody"/],
    ['a dependency twice', withTask(2, { dependencies: ['a', 'a'] }), '$.tasks[2].dependencies[1]', /twice/],
    ['a missing field', withTask(1, { description: undefined }), '$.tasks[1].description', /is required and missing/],
    ['a wrong type', { ...good, risk_score: 'high' }, '$.risk_score', /expected number/],
    ['an unknown field', { ...good, approved: true }, '$', /"approved"/],
    ['an expired plan', { ...good, valid_until: NOW }, '$.valid_until', /expired at 1970/],
    ['an unknown destructive task', { ...good, destructive_tasks: ['x'] }, '$.destructive_tasks[0]', /"x"/],
    [
      'an order with an unknown task',
      { ...good, execution_order: ['a', 'b', 'c', 'x'] },
      '$.execution_order[3]',
      /"x"/,
    ],
    ['an order that lacks a task', { ...good, execution_order: ['a', 'b'] }, '$.execution_order', /"c"/],
    ['no tasks', { ...good, tasks: [] }, '$.tasks', /small/],
    [
      'a parameter that is no string',
      withTask(0, { parameters: { 'a b': 1 } }),
      '$.tasks[0].parameters["a b"]',
      /string/,
    ],
    ['a NUL', withTask(0, { description: 'a\0b' }), '$.tasks[0].description', /NUL/],
    ['half a surrogate pair', withTask(0, { parameters: { a: '\ud800' } }), '$.tasks[0].parameters.a', /surrogate/],
    [
      'metadata that only the orchestrator sets',
      withTask(0, { metadata: { 'dependency.a.x': '1' } }),
      '$.tasks[0].metadata["dependency.a.x"]',
      /alone/,
    ],
    ['no object', [], '$', /expected object/],
    ['nothing', undefined, '$', /expected object/],
  ])('%s', (_name, value, path, message) => {
    expect(problemsOf(value)[path]).toMatch(message);
  });

  test('every problem at once, also behind those of the shape', () => {
    const bad = {
      ...good,
      risk_band: 'purple',
      tasks: [
        { ...good.tasks[0], dependencies: ['c'] },
        { ...good.tasks[1], task_type: 'DANCE', dependencies: ['a', 'ghost'] },
        { ...good.tasks[2], description: 7 },
      ],
      execution_order: ['a', 'b', 'c', 'z'],
      valid_until: 1,
    };
    expect(Object.keys(problemsOf(bad)).sort()).toEqual([
      '$.execution_order[3]',
      '$.risk_band',
      '$.tasks[0].dependencies[0]',
      '$.tasks[1].dependencies[1]',
      '$.tasks[1].task_type',
      '$.tasks[2].description',
      '$.valid_until',
    ]);
  });

  test('a chain of five thousand tasks is checked without deep recursion', () => {
    const tasks = Array.from({ length: 5_000 }, (_, index) => ({
      id: `t${index}`,
      needs: index === 0 ? [] : [`t${index - 1}`],
    }));
    expect(checkPlan(planOf(tasks), NOW).ok).toBe(true);
  });
});

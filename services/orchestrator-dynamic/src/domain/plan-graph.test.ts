import fc from 'fast-check';
import { expect, test } from 'vitest';
import { longestPaths } from './plan-graph.ts';

interface Drawn {
  readonly task_id: string;
  readonly dependencies: readonly string[];
  readonly length: number;
}

const graph = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 9 }), edges: fc.array(fc.nat(30), { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((drafts) =>
    drafts.map(
      ({ length, edges }, index): Drawn => ({
        task_id: `t${index}`,
        dependencies: index === 0 ? [] : [...new Set(edges.map((edge) => `t${edge % index}`))],
        length,
      }),
    ),
  );

test('a path is as long as the task and the longest path behind it', () => {
  fc.assert(
    fc.property(graph, (tasks) => {
      const lengths = longestPaths(tasks, ({ length }) => length);
      const walk = (task: Drawn): number =>
        task.length + Math.max(0, ...tasks.filter(({ dependencies }) => dependencies.includes(task.task_id)).map(walk));
      for (const task of tasks) expect(lengths.get(task.task_id)).toBe(walk(task));
    }),
  );
});

test('a chain of thousands of tasks costs no stack', () => {
  const tasks = Array.from({ length: 5_000 }, (_, index) => ({
    task_id: `t${index}`,
    dependencies: index === 0 ? [] : [`t${index - 1}`],
  }));
  expect(longestPaths(tasks, () => 1).get('t0')).toBe(5_000);
});

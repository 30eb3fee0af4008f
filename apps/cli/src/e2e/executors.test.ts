import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { asOperator } from '../client/operator.ts';
import { planOf, query } from './plans.ts';

const { home: data, projects } = inject('platform');

const rows = { type: 'array', items: { type: 'object', required: ['released'] }, minItems: 1 };

test('what a query read is held against a schema, and a member of it is taken out', { timeout: 120_000 }, async () => {
  const folder = join(projects, 'schemas');
  mkdirSync(folder);
  writeFileSync(join(folder, 'rows.json'), JSON.stringify(rows));
  chmodSync(folder, 0o755);
  const plan = planOf([
    query('count'),
    {
      task_id: 'check',
      task_type: 'VALIDATE',
      dependencies: ['count'],
      parameters: {
        kind: 'json_schema',
        schema_project: 'schemas',
        schema: 'rows.json',
        document_from: 'count.rows',
      },
    },
    {
      task_id: 'pick',
      task_type: 'TRANSFORM',
      dependencies: ['count', 'check'],
      parameters: { program: 'json-get', input_from: 'count.rows', pointer: '/0/released' },
    },
  ]);
  await asOperator(data, async ({ orchestrator }) => {
    await orchestrator.submit(plan);
    for await (const line of orchestrator.progress(plan.plan_id)) if (line.type === 'plan' && line.final) break;
    const { status, tickets } = await orchestrator.show(plan.plan_id);
    expect(status).toBe('COMPLETED');
    const outputOf = (taskId: string) => tickets.find((ticket) => ticket.taskId === taskId)?.output;
    expect(outputOf('check')).toEqual({ valid: 'true' });
    expect(outputOf('pick')?.result).toMatch(/^\d+$/);
  });
});

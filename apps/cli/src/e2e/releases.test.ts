import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import type { PlanView } from '../client/orchestrator-client.ts';
import { REPOSITORY, runHive, scratchFolder } from './hive-process.ts';
import { planOf } from './plans.ts';

const { home } = inject('platform');
const scratch = scratchFolder();
afterAll(() => scratch.remove());
const example = (name: string): string => join(REPOSITORY, 'examples/plans', name);

async function submit(file: string, ...more: string[]): Promise<{ code: number | null; plan: PlanView; said: string }> {
  const id = planOf([]).plan_id;
  const ended = await runHive(['plan', 'submit', file, '--id', id, '--watch', '--json', '--home', home, ...more]);
  return { code: ended.code, plan: JSON.parse(ended.stdout) as PlanView, said: ended.stderr };
}

const statuses = ({ tickets }: PlanView) => tickets.map(({ taskId, status }) => `${taskId} ${status}`);

test('a release is built, tested and deployed once it is approved', async () => {
  const { code, plan } = await submit(example('release.json'), '--approve');
  expect({ code, status: plan.status }).toEqual({ code: 0, status: 'COMPLETED' });
  expect(statuses(plan)).toEqual(['build COMPLETED', 'test COMPLETED', 'history COMPLETED', 'deploy COMPLETED']);
  const history = plan.tickets.find(({ taskId }) => taskId === 'history');
  expect(history?.outputReference).toContain('worker/results/');
  expect(history?.output).toEqual({});
});

test('a plan that fails late is compensated in reverse order, and the command exits 1', async () => {
  const { code, plan, said } = await submit(example('rollback.json'));
  expect({ code, status: plan.status }).toEqual({ code: 1, status: 'FAILED' });
  expect(plan.tickets.filter(({ compensates }) => compensates === null).map(({ status }) => status)).toEqual([
    'COMPENSATED',
    'COMPENSATED',
    'FAILED',
  ]);
  // The tickets that undo, in the order in which they ended; each is said once.
  const undone = [...said.matchAll(/^ *COMPENSATE (\S+) +COMPLETED in /gm)].map(([, task]) => task);
  expect(undone).toEqual(['deploy', 'build']);
});

test('a plan that the operator rejects is not run', async () => {
  const plan = { ...JSON.parse(readFileSync(example('release.json'), 'utf8')), plan_id: planOf([]).plan_id };
  const file = join(scratch.path, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  expect((await runHive(['plan', 'submit', file, '--home', home])).stdout).toContain('AWAITING_APPROVAL');
  const rejected = await runHive(['plan', 'reject', plan.plan_id, '--home', home, '--reason', 'not today']);
  expect(rejected.code).toBe(0);
  const shown = await runHive(['plan', 'show', plan.plan_id, '--home', home, '--json']);
  expect((JSON.parse(shown.stdout) as PlanView).tickets.every(({ attempt }) => attempt === 0)).toBe(true);
});

test('with no platform running one line says so and the command exits 3', async () => {
  const home = join(scratch.path, 'nobody');
  const { code, stdout, stderr } = await runHive([
    'plan',
    'submit',
    example('rollback.json'),
    '--watch',
    '--home',
    home,
  ]);
  expect({ code, stdout, lines: stderr.trim().split('\n').length }).toEqual({ code: 3, stdout: '', lines: 1 });
  expect(stderr).toContain('No platform is running: start one with `npm start`');
});

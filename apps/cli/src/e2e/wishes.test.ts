import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { runHive, scratchFolder, within } from './hive-process.ts';
import { planOf, query } from './plans.ts';

const { home } = inject('platform');
const scratch = scratchFolder();
afterAll(() => scratch.remove());

const plan = (...args: readonly string[]) => runHive(['plan', ...args, '--home', home, '--json']);

function fileOf(content: unknown): string {
  const file = join(scratch.path, 'plan.json');
  writeFileSync(file, JSON.stringify(content));
  return file;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
const resultOf = ({ stdout }: { stdout: string }): any => JSON.parse(stdout.trim().split('\n').at(-1) ?? '');

async function show(id: string) {
  return resultOf(await plan('show', id));
}

test('a plan that was paused before its approval begins nothing until it is resumed', {
  timeout: 120_000,
}, async () => {
  const waiting = planOf([query('first')], { requires_approval: true });
  const id = waiting.plan_id;
  expect(resultOf(await plan('submit', fileOf(waiting)))).toMatchObject({ status: 'AWAITING_APPROVAL' });
  expect(resultOf(await plan('pause', id))).toMatchObject({ paused: true });
  expect((await plan('approve', id, '--reason', 'fine')).code).toBe(0);
  expect(await within(30_000, async () => (await show(id)).status === 'RUNNING')).toBe(true);
  expect(await show(id)).toMatchObject({ paused: true, tickets: [{ status: 'PENDING', attempt: 0 }] });
  expect(resultOf(await plan('resume', id))).toMatchObject({ paused: false });
  expect(await within(30_000, async () => (await show(id)).final)).toBe(true);
  expect(await show(id)).toMatchObject({ status: 'COMPLETED', approval: { comment: 'fine' } });
  const listed = resultOf(await plan('list', '--status', 'COMPLETED', '--limit', '5'));
  expect(listed.plans.map((one: { id: string }) => one.id)).toContain(id);
});

test('dead letters are listed, and one that nobody knows is refused', { timeout: 60_000 }, async () => {
  const dlq = (...args: readonly string[]) => runHive(['dlq', ...args, '--home', home, '--json']);
  expect(resultOf(await dlq('list', '--all'))).toMatchObject({ deadLetters: expect.any(Array) });
  for (const verb of ['show', 'retry']) {
    expect(await dlq(verb, 'nobody')).toMatchObject({ code: 2, stderr: expect.stringContaining('was given up') });
  }
});

test('a plan that was rejected has ended, and wishing anything else of it is refused', {
  timeout: 120_000,
}, async () => {
  const waiting = planOf([query('first')], { risk_band: 'high' });
  expect((await plan('submit', fileOf(waiting))).code).toBe(0);
  expect(resultOf(await plan('reject', waiting.plan_id))).toMatchObject({ status: 'REJECTED', final: true });
  for (const verb of ['approve', 'resume', 'cancel']) {
    expect(await plan(verb, waiting.plan_id)).toMatchObject({ code: 2, stderr: expect.stringContaining('REJECTED') });
  }
});

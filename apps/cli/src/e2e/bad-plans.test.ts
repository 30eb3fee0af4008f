import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { spiffeAgent } from '@neural-hive/security/http';
import { matchId } from '@neural-hive/security/spiffe';
import { request } from 'undici';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { asOperator } from '../client/operator.ts';
import { runHive, scratchFolder } from './hive-process.ts';
import { build, planOf, query } from './plans.ts';

const { home } = inject('platform');
const scratch = scratchFolder();
afterAll(() => scratch.remove());

async function submit(plan: unknown) {
  const file = join(scratch.path, 'plan.json');
  writeFileSync(file, typeof plan === 'string' ? plan : JSON.stringify(plan));
  return runHive(['plan', 'submit', file, '--home', home]);
}

async function show(id: string) {
  return runHive(['plan', 'show', id, '--home', home]);
}

/** Sends bytes to the HTTP API itself, past the checks of the command. */
function post(body: string | Buffer) {
  return asOperator(home, async ({ platform, identity }) => {
    const dispatcher = spiffeAgent({ identity, authorize: matchId(SPIFFE_IDS.orchestrator) });
    const url = `https://127.0.0.1:${platform.orchestrator.port}/api/v1/plans`;
    try {
      const headers = { 'content-type': 'application/json' };
      const response = await request(url, { method: 'POST', dispatcher, headers, body });
      return { status: response.statusCode, body: (await response.body.json()) as { error: { code: string } } };
    } finally {
      await dispatcher.destroy();
    }
  });
}

test('a good plan is stored', async () => {
  const plan = planOf([query('first')]);
  expect(await submit(plan)).toMatchObject({ code: 0, stdout: expect.stringContaining(plan.plan_id) });
  expect(await show(plan.plan_id)).toMatchObject({ code: 0, stdout: expect.stringContaining(plan.plan_id) });
});

describe('a bad plan is refused with every problem at its JSON path, and not stored', () => {
  const { risk_band: _, ...withoutBand } = planOf([query('first')]);
  const cases: readonly (readonly [string, Record<string, unknown>, readonly RegExp[]])[] = [
    ['a cycle', planOf([query('a', ['c']), query('b', ['a']), query('c', ['b'])]), [/^\$\.tasks\b.*(a|b|c)/]],
    [
      'an unknown task type',
      planOf([query('first'), { ...query('second'), task_type: 'PAINT' }]),
      [/^\$\.tasks\[1\]\.task_type: /],
    ],
    ['a duplicate id', planOf([query('same'), build('release-app', 'same')]), [/^\$\.tasks\[1\]\.task_id: /]],
    ['a dangling id', planOf([query('first', ['nobody'])]), [/^\$\.tasks\[0\]\.dependencies\[0\]: .*nobody/]],
    ['a missing field', withoutBand, [/^\$\.risk_band: /]],
    ['a wrong type', planOf([query('first')], { risk_score: 'high' }), [/^\$\.risk_score: /]],
    [
      'several faults at once',
      planOf([{ ...query('first'), task_type: 'PAINT' }], { risk_score: 2, intent_id: 7 }),
      [/^\$\.tasks\[0\]\.task_type: /, /^\$\.risk_score: /, /^\$\.intent_id: /],
    ],
  ];
  test.each(cases)('%s', async (_name, plan, problems) => {
    const refused = await submit(plan);
    expect(refused.code).toBe(2);
    const lines = refused.stderr.split('\n').map((line) => line.trim());
    for (const problem of problems) expect(lines).toContainEqual(expect.stringMatching(problem));
    expect(await show(String(plan.plan_id))).toMatchObject({ code: 2, stderr: expect.stringContaining('no plan') });
  });
});

describe('a plan of 2 MiB is refused', () => {
  const large = planOf([query('first')], { reasoning_summary: 'x'.repeat(2 * 1024 * 1024) });

  test('by the command, in one line', async () => {
    const refused = await submit(large);
    expect(refused.code).toBe(2);
    expect(refused.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/bytes; a plan may have at most 1048576/),
    ]);
  });

  test('by the API, which stores nothing', async () => {
    const small = planOf([query('first')]);
    expect(await post(JSON.stringify(small))).toMatchObject({ status: 201 });
    expect(await post(JSON.stringify(large))).toMatchObject({ status: 413, body: { error: { code: 'too_large' } } });
    expect((await show(large.plan_id)).code).toBe(2);
  });
});

test('text that is no JSON is refused, by the command and by the API', async () => {
  expect(await submit('{"plan_id": ')).toMatchObject({ code: 2, stderr: expect.stringContaining('is not JSON') });
  expect(await post('{"plan_id": ')).toMatchObject({ status: 400, body: { error: { code: 'invalid_json' } } });
});

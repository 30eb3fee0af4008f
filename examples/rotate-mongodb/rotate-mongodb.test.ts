import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scriptedTarget } from '../../libraries/security/src/testing/mongo-target.ts';
import { runExample } from './live-rotation.ts';

const SECONDS = 1_000;

test(
  'the example follows a login that is stored anew, without an error after the old user is dropped',
  async () => {
    await using target = await scriptedTarget();
    expect(await runExample(target, 2)).toEqual({ exitCode: 0, errors: '', generations: [1, 2, 3] });
  },
  120 * SECONDS,
);

test('the guide shows the program that runs here', () => {
  const program = readFileSync(join(import.meta.dirname, 'rotate-mongodb.mjs'), 'utf8');
  const [core = ''] = program.split('\n// That is all.');
  const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/rotate-mongodb.md'), 'utf8');
  expect(guide).toContain(core.trim());
});

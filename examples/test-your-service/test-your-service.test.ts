import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const examples = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.mjs'));

beforeAll(() => {
  // The examples run on what is built; when the build fails here, another check says so better.
  spawnSync(process.execPath, [join(root, 'tools/build.mjs'), 'libraries/security'], { cwd: root });
});

test('there are examples', () => {
  expect(examples).toEqual(['agent.test.mjs', 'calls.test.mjs', 'certificates.test.mjs', 'clock.test.mjs']);
});

test.each(examples)(
  '%s passes as its reader would run it',
  async (example) => {
    // Told to report to a runner of its own, Node would print nothing that can be read.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = ['--test', '--test-reporter=tap', join(import.meta.dirname, example)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk;
      });
    }
    const [code] = await once(child, 'close');
    expect(code, output).toBe(0);
    const asked = readFileSync(join(import.meta.dirname, example), 'utf8').match(/^test\(/gm) ?? [];
    expect(output.match(/^# pass (\d+)$/m)?.[1], output).toBe(String(asked.length));
  },
  120_000,
);

test.each(examples)('the guide shows %s as it is', (example) => {
  const guide = readFileSync(join(root, 'docs/guides/test-your-service.md'), 'utf8');
  expect(guide).toContain(readFileSync(join(import.meta.dirname, example), 'utf8').trim());
});

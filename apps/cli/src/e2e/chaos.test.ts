import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY } from './hive-process.ts';

const CHAOS = join(REPOSITORY, 'apps/cli/dist/chaos/main.js');

async function chaos(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  expect(existsSync(CHAOS), `${CHAOS} is missing: build first (npm run build)`).toBe(true);
  const child = spawn(process.execPath, [CHAOS, ...args], { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...said };
}

test('a minute of kills and pauses loses no ticket, doubles no effect, and leaves no lease', {
  timeout: 900_000,
}, async () => {
  const { code, stdout, stderr } = await chaos('--seed', '2', '--minutes', '1', '--json');
  const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  expect({ code, report, stderr }).toMatchObject({ code: 0, report: { lost: 0, doubled: 0, leasesLeft: 0 } });
  expect(Object.keys(report)).toEqual(['faults', 'plans', 'tickets', 'lost', 'doubled', 'leasesLeft']);
  expect(report.faults).toBeGreaterThan(5);
  expect(report.plans).toBeGreaterThan(3);
  expect(report.tickets).toBeGreaterThan(report.plans);
});

test('arguments that say nothing are refused before anything is started', async () => {
  expect(await chaos('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--seed') });
  for (const args of [
    [],
    ['--seed', 'x', '--minutes', '1'],
    ['--seed', '1', '--minutes', '0'],
    ['--profile', 'other'],
  ]) {
    expect(await chaos(...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/--\w+/) });
  }
});

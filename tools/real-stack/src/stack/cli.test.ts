import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { COMPONENTS } from '../components.ts';
import { runReal } from './cli.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/real-');
  // No tool chain, an empty cache, no run.
  vi.stubEnv('PATH', '/nonexistent');
  vi.stubEnv('XDG_CACHE_HOME', folder);
  vi.stubEnv('REAL_STACK_RUN', join(folder, 'run'));
  for (const name of ['ETCD_BINARY', 'MOTO_PYTHON', 'BAO_AWSKMS_BINARY']) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

async function real(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const code = await runReal(args, {
    root: folder,
    print: (text) => {
      written.stdout += `${text}\n`;
    },
    tell: (line) => {
      written.stderr += `${line}\n`;
    },
  });
  return { code, ...written };
}

test('help names every component with its version', async () => {
  const { code, stdout } = await real('--help');
  expect(code).toBe(0);
  for (const { name, version } of COMPONENTS) expect(stdout).toMatch(new RegExp(`^ +${name} +${version}`, 'm'));
});

test('a command or a component that does not exist is named, and nothing is done', async () => {
  expect(await real('install', 'cassandra')).toMatchObject({ code: 2, stderr: 'unknown component: cassandra\n' });
  expect(await real('restart')).toMatchObject({ code: 2, stderr: expect.stringContaining('unknown command: restart') });
  expect(await real()).toMatchObject({ code: 2, stderr: expect.stringContaining('which command?') });
  expect(await real('start', '--fast')).toMatchObject({ code: 2 });
});

test('without a run there is nothing to ask and nothing to end', async () => {
  const status = await real('status', '--json');
  expect(status.code).toBe(1);
  expect(JSON.parse(status.stdout)).toEqual({ running: false, components: [], missing: [] });
  expect(await real('env')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('npm run real -- start'),
  });
  expect(await real('stop')).toMatchObject({ code: 0, stdout: 'Nothing is running.\n' });
});

test('what cannot be installed is named with the missing tool chain and what that blocks', async () => {
  const { code, stdout, stderr } = await real('install', 'etcd', 'moto', '--json');
  expect(code).toBe(3);
  const { installed, failed } = JSON.parse(stdout);
  expect(installed).toEqual([]);
  expect(failed).toEqual([
    {
      name: 'moto',
      reason: expect.stringMatching(/needs python3, .*install Python 3.*\(blocks everything that asks AWS/),
    },
    { name: 'etcd', reason: expect.stringMatching(/needs go, .*install Go.*\(blocks the Kubernetes API server\)/) },
  ]);
  expect(stderr).toContain('etcd could not be installed, which blocks');
});

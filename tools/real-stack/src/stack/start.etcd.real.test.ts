import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ETCD_VERSION } from '../etcd/install.ts';
import { askRun, type RunState } from './control.ts';
import { reachesTls } from './reach.ts';
import { type RunFolder, runFolder } from './run-folder.ts';

const PROGRAM = resolve(import.meta.dirname, '..', '..', 'dist', 'real.js');
const LIMIT_MS = 60_000;

let parent: string;
let folder: RunFolder;
let child: ChildProcess;

beforeEach(() => {
  parent = mkdtempSync('/tmp/run-');
  folder = runFolder(parent, { REAL_STACK_RUN: join(parent, 'run') });
});
afterEach(() => {
  child.kill('SIGKILL');
  rmSync(parent, { recursive: true });
});

/** `real start etcd --json`: resolves with the line that it prints when all answer. */
async function start(): Promise<RunState> {
  child = spawn(process.execPath, [PROGRAM, 'start', 'etcd', '--json'], {
    env: { ...process.env, REAL_STACK_RUN: folder.path },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('no standard output');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return JSON.parse(line) as RunState;
}

/** Whether the etcd that the run has started can be reached. */
async function reach(): Promise<() => Promise<boolean>> {
  const env = await askRun<Readonly<Record<string, string>>>(folder.socket, 'env');
  const { ETCDCTL_ENDPOINTS = '', ETCDCTL_CACERT = '' } = env ?? {};
  const ca = readFileSync(ETCDCTL_CACERT);
  return () => reachesTls(Number(new URL(ETCDCTL_ENDPOINTS).port), ca);
}

test('what was started answers to other processes, and ends with the command when that is killed', {
  timeout: 3 * LIMIT_MS,
}, async () => {
  const state = await start();
  expect(state.components).toMatchObject([{ name: 'etcd', version: ETCD_VERSION, healthy: true }]);
  expect(await askRun(folder.socket, 'status')).toEqual(state);
  const reachable = await reach();
  expect(await reachable()).toBe(true);
  child.kill('SIGKILL');
  await vi.waitFor(async () => expect(await reachable()).toBe(false), { timeout: LIMIT_MS, interval: 100 });
  expect(await askRun(folder.socket, 'status')).toBeUndefined();

  // Nothing of it is in the way of the next one, which ends as it should.
  await start();
  const exited = once(child, 'exit');
  expect(await askRun(folder.socket, 'stop')).toEqual(['etcd']);
  expect(await exited).toEqual([0, null]);
});

test('a signal ends the command and what it has started', { timeout: 2 * LIMIT_MS }, async () => {
  await start();
  const reachable = await reach();
  expect(await reachable()).toBe(true);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(await reachable()).toBe(false);
});

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Component } from '../components.ts';
import { askRun, type RunState } from './control.ts';
import { Run } from './run.ts';
import { makeRunFolder, type RunFolder, runFolder } from './run-folder.ts';
import type { Starter } from './running.ts';

let parent: string;
let folder: RunFolder;
let told: string[];

beforeEach(() => {
  parent = mkdtempSync('/tmp/run-');
  folder = runFolder('/anywhere', { REAL_STACK_RUN: join(parent, 'run') });
  told = [];
});
afterEach(() => {
  rmSync(parent, { recursive: true });
});

const component = (name: string): Component => ({ name, version: '1', install: () => Promise.resolve({}) });

/** A server that is a variable. */
function starter(name: string, state: { healthy: boolean; stopped: string[] }): Starter {
  return ({ log, folder: files }) => {
    log(`${name} listens`);
    writeFileSync(join(files, `${name}.pem`), name);
    return Promise.resolve({
      version: '1.2',
      environment: { [`${name.toUpperCase()}_PORT`]: '1', SHARED: name },
      isHealthy: () => Promise.resolve(state.healthy),
      stop: () => Promise.resolve(void state.stopped.push(name)),
    });
  };
}

function start(names: readonly string[], starters: Readonly<Record<string, Starter>>): Promise<Run> {
  return Run.start(names.map(component), { folder, starters, tell: (line) => told.push(line) });
}

test('another process can ask how the components are, for their variables, and to end them newest first', async () => {
  const state = { healthy: true, stopped: [] as string[] };
  const run = await start(['a', 'b'], { a: starter('a', state), b: starter('b', state) });
  const asked = await askRun<RunState>(folder.socket, 'status');
  expect(asked).toMatchObject({
    pid: process.pid,
    components: [{ name: 'a', version: '1.2', healthy: true }, { name: 'b' }],
  });
  state.healthy = false;
  expect(await askRun<RunState>(folder.socket, 'status')).toMatchObject({ components: [{ healthy: false }, {}] });
  expect(await askRun(folder.socket, 'env')).toEqual({ A_PORT: '1', B_PORT: '1', SHARED: 'b' });
  expect(await askRun(folder.socket, 'env', ['a'])).toEqual({ A_PORT: '1', SHARED: 'a' });
  expect(readFileSync(join(folder.logs, 'a.log'), 'utf8')).toBe('a listens\n');
  expect(await askRun(folder.socket, 'stop', ['a'])).toEqual(['a']);
  expect(await askRun(folder.socket, 'stop')).toEqual(['b']);
  await run.ended;
  expect(state.stopped).toEqual(['a', 'b']);
  expect(await askRun(folder.socket, 'status')).toBeUndefined();
  expect(existsSync(folder.files)).toBe(false);
});

test('while a run is under way another one of the same folder is refused, and afterwards not', async () => {
  const state = { healthy: true, stopped: [] as string[] };
  const starters = { a: starter('a', state) };
  const first = await start(['a'], starters);
  await expect(start(['a'], starters)).rejects.toMatchObject({ code: 'already_running' });
  expect(state.stopped).toEqual([]);
  await first.stop();
  await first.stop();
  const second = await start(['a'], starters);
  await second.stop();
  expect(state.stopped).toEqual(['a', 'a']);
});

test('what a killed run has left is taken over', async () => {
  makeRunFolder(folder);
  writeFileSync(folder.lock, '999999999 1');
  writeFileSync(folder.socket, '');
  const run = await start(['a'], { a: starter('a', { healthy: true, stopped: [] }) });
  expect(await askRun<RunState>(folder.socket, 'status')).toMatchObject({ components: [{ name: 'a' }] });
  await run.stop();
});

test('when one does not start none stays, and the reason is told', async () => {
  const state = { healthy: true, stopped: [] as string[] };
  const broken: Starter = () => Promise.reject(new Error('no port'));
  await expect(start(['a', 'b'], { a: starter('a', state), b: broken })).rejects.toThrow('no port');
  expect(state.stopped).toEqual(['a']);
  await (await start(['a'], { a: starter('a', state) })).stop();
});

test('the folder is for this user only, and one that is something else is refused', async () => {
  const run = await start(['a'], { a: starter('a', { healthy: true, stopped: [] }) });
  for (const path of [folder.path, folder.logs, folder.files]) expect(statSync(path).mode & 0o077).toBe(0);
  expect(statSync(folder.socket).mode & 0o077).toBe(0);
  await run.stop();
  const link = runFolder('/anywhere', { REAL_STACK_RUN: join(parent, 'link') });
  symlinkSync('/tmp', link.path);
  expect(() => makeRunFolder(link)).toThrow('is not a folder of this user');
});

test('checkouts have folders of their own', () => {
  expect(runFolder('/a', {}).path).not.toBe(runFolder('/b', {}).path);
  expect(runFolder('/a', {})).toEqual(runFolder('/a', {}));
});

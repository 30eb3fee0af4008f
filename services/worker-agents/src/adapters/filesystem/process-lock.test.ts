import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builtContender } from '../../testing/contender.ts';
import { openFolder } from '../../testing/guards.ts';
import { takeLock } from './process-lock.ts';

const never = new AbortController().signal;

function contend(lock: string, counter: string, rounds: number, mode = ''): ChildProcess {
  return spawn(process.execPath, [builtContender(), lock, counter, String(rounds), mode], { stdio: 'inherit' });
}

test('a second holder waits for the first', async () => {
  const lock = join(openFolder('lock'), 'lock');
  const first = await takeLock(lock, { signal: never });
  let taken = false;
  const second = takeLock(lock, { signal: never }).then((held) => {
    taken = true;
    return held;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBe(false);
  first.release();
  (await second).release();
  expect(existsSync(lock)).toBe(false);
});

test('waiting ends with the signal', async () => {
  const lock = join(openFolder('lock'), 'lock');
  await takeLock(lock, { signal: never });
  await expect(takeLock(lock, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('processes that race, some of them dying while they hold the lock, never hold it together', async () => {
  const folder = openFolder('lock');
  const lock = join(folder, 'lock');
  const counter = join(folder, 'counter');
  writeFileSync(counter, '0');
  const mortal = [1, 2, 3, 4].map(() => contend(lock, counter, 1, 'die'));
  const steady = [1, 2, 3].map(() => contend(lock, counter, 25));
  const ends = await Promise.all([...mortal, ...steady].map((child) => once(child, 'exit')));
  expect(ends.map(([code, signal]) => signal ?? code)).toEqual([...Array(4).fill('SIGKILL'), 0, 0, 0]);
  // An increment that is lost would mean that two held the lock at once.
  expect(readFileSync(counter, 'utf8')).toBe(String(4 + 3 * 25));
  (await takeLock(lock, { signal: never })).release();
  expect(readdirSync(folder).sort()).toEqual(['counter', 'counter.log']);
});

test('a lock whose owner’s pid was given to another process is free', async () => {
  const lock = join(openFolder('lock'), 'lock');
  writeFileSync(
    lock,
    JSON.stringify({ pid: process.pid, started: 'long ago', nonce: '6f0b2e0e-2f0a-4b4c-9a8e-3d8f0f6d1c11' }),
  );
  (await takeLock(lock, { signal: never })).release();
});

test('a file that is no lock is reported instead of waited for', async () => {
  const lock = join(openFolder('lock'), 'lock');
  writeFileSync(lock, 'hello');
  await expect(takeLock(lock, { signal: never })).rejects.toThrow('is not a lock file');
});

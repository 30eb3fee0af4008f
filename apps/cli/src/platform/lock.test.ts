import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockHolder, takeLock } from './lock.ts';

function lockPath(): string {
  return join(mkdtempSync(join(tmpdir(), 'nh-lock-')), 'supervisor.lock');
}

test('one supervisor holds the lock, and a second is told who does', () => {
  const path = lockPath();
  const lock = takeLock(path);
  expect(lockHolder(path)).toBe(process.pid);
  expect(() => takeLock(path)).toThrow(`process ${process.pid}`);
  lock.release();
  expect(lockHolder(path)).toBeUndefined();
});

test('a lock whose holder is gone is cleared, also when its pid was given to another process', () => {
  const path = lockPath();
  takeLock(path);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"started":"[^"]*"/, '"started":"long ago"'));
  expect(lockHolder(path)).toBeUndefined();
  takeLock(path).release();
});

test('of several supervisors that find the same dead lock at once, one takes it', async () => {
  const path = lockPath();
  takeLock(path);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"started":"[^"]*"/, '"started":"long ago"'));
  // Node cannot run our sources: the built lock is tried, as in the program.
  const built = new URL('../../dist/platform/lock.js', import.meta.url).href;
  const startMs = Date.now() + 1_500;
  const program = `const { takeLock } = await import(${JSON.stringify(built)});
    while (Date.now() < ${startMs});
    try { takeLock(${JSON.stringify(path)}); console.log('taken'); } catch { console.log('refused'); }
    process.stdin.resume().once('end', () => process.exit());`;
  const starters = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const answers = await Promise.all(starters.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()));
  for (const { stdin } of starters) stdin.end();
  expect(answers.sort()).toEqual(['refused', 'refused', 'refused', 'taken']);
});

test('a torn lock file does not stop a start', () => {
  const path = lockPath();
  writeFileSync(path, '{"pid":');
  takeLock(path).release();
});

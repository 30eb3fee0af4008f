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

test('a torn lock file does not stop a start', () => {
  const path = lockPath();
  writeFileSync(path, '{"pid":');
  takeLock(path).release();
});

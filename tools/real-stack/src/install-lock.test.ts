import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLock, withInstallLock } from './install-lock.ts';

let folder: string;
let lock: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/real-');
  lock = join(folder, 'below', 'x.lock');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('two installations take turns, and the second says that it waits', async () => {
  const events: string[] = [];
  let finish = (): void => {};
  const first = withInstallLock(lock, async () => {
    events.push('first starts');
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    events.push('first ends');
  });
  const onWait = (): void => {
    events.push('second waits');
    finish();
  };
  await Promise.all([first, withInstallLock(lock, async () => events.push('second starts'), { onWait })]);
  expect(events).toEqual(['first starts', 'second waits', 'first ends', 'second starts']);
  expect(existsSync(lock)).toBe(false);
});

test('the lock of a process that is gone is taken over, and a failure frees it', async () => {
  await withInstallLock(lock, async () => {});
  writeFileSync(lock, '999999999');
  await expect(withInstallLock(lock, () => Promise.reject(new Error('no space')))).rejects.toThrow('no space');
  expect(existsSync(lock)).toBe(false);
});

test('a lock names the process by its start as well: the number alone may be another one by now', async () => {
  const free = takeLock(lock);
  expect(takeLock(lock)).toBeUndefined();
  free?.();
  mkdirSync(dirname(lock), { recursive: true });
  // This process lives, and it did not start with the machine.
  writeFileSync(lock, `${process.pid} 1`);
  const taken = takeLock(lock);
  expect(taken).toBeDefined();
  taken?.();
  expect(existsSync(lock)).toBe(false);
});

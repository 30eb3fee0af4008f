import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withInstallLock } from './install-lock.ts';

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

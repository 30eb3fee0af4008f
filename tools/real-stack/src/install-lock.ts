import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;

function holderLives(path: string): boolean {
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function tryTake(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Runs one installation at a time, across processes. The lock of a process that is gone is taken over. */
export async function withInstallLock<T>(
  path: string,
  run: () => Promise<T>,
  options: { onWait?: () => void } = {},
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  let waiting = false;
  while (!tryTake(path)) {
    if (!holderLives(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!waiting) options.onWait?.();
    waiting = true;
    await delay(POLL_MS);
  }
  try {
    return await run();
  } finally {
    rmSync(path, { force: true });
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RealStackError } from './real-stack-error.ts';

const POLL_MS = 100;

/** When a process started, in ticks since the machine did; empty where the system does not tell. */
function startOf(pid: number | string): string {
  try {
    // What follows the name, which is in parentheses and may hold anything, is counted: the 22nd field of all.
    return /\) (?:\S+ ){19}(\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** A process of that number may be another one: numbers are used again, in containers soon. */
function holderLives(content: string): boolean {
  const [pid = '', start = ''] = content.split(' ');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return start === '' || startOf(pid) === '' || startOf(pid) === start;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function create(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid} ${startOf(process.pid)}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock with that content. Another one that took its place meanwhile is put back. */
function removeStale(path: string, content: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  try {
    if (read(aside) !== content) linkSync(aside, path);
  } catch {
    // Somebody holds a newer one.
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * Takes a lock that is a file and returns what frees it; undefined while a living process holds it. The lock of a process
 * that is gone is taken over.
 */
export function takeLock(path: string): (() => void) | undefined {
  mkdirSync(dirname(path), { recursive: true });
  while (!create(path)) {
    const content = read(path);
    // Empty: its holder is about to write.
    if (content === '' || (content !== undefined && holderLives(content))) return undefined;
    if (content !== undefined) removeStale(path, content);
  }
  return () => rmSync(path, { force: true });
}

const lookingOnly = new AsyncLocalStorage<boolean>();

/** Within the work, what is not installed is refused with `not_installed` instead of fetched or built. */
export function withoutInstalling<T>(work: () => Promise<T>): Promise<T> {
  return lookingOnly.run(true, work);
}

/** Runs one installation at a time, across processes. @throws RealStackError `not_installed`, see {@link withoutInstalling} */
export async function withInstallLock<T>(
  path: string,
  run: () => Promise<T>,
  options: { onWait?: () => void } = {},
): Promise<T> {
  if (lookingOnly.getStore() === true) {
    throw new RealStackError('not_installed', `${basename(path, '.lock')} is not installed: npm run real -- install`);
  }
  let free = takeLock(path);
  if (free === undefined) options.onWait?.();
  while (free === undefined) {
    await delay(POLL_MS);
    free = takeLock(path);
  }
  try {
    return await run();
  } finally {
    free();
  }
}

import { randomUUID } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processStart } from './process-identity.ts';

interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly nonce: string;
}

const POLL_MS = 15;

export interface HeldLock {
  release(): void;
}

/**
 * Takes a lock that every process of this machine (one process table, one file system) honours, waiting for it.
 * The lock is a file that appears whole, by link(2), and names its owner; that of a dead owner is taken over. Whoever
 * takes over first holds a second lock named after the dead owner and looks again, so that of several who saw the same
 * dead owner only one replaces it, and nobody replaces a live successor. Rejects with the signal's reason.
 */
export async function takeLock(path: string, { signal }: { signal: AbortSignal }): Promise<HeldLock> {
  for (;;) {
    signal.throwIfAborted();
    const held = tryTakeLock(path);
    if (held !== undefined) return held;
    await delay(POLL_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
  }
}

/** The same without waiting: undefined when a living process holds it. */
export function tryTakeLock(path: string): HeldLock | undefined {
  const own: Owner = { pid: process.pid, started: processStart(process.pid) ?? '', nonce: randomUUID() };
  if (!tryTake(path, own)) return undefined;
  sweep(path);
  return { release: () => unlinkSync(path) };
}

/** The living process that holds the lock, if one does. Throws for a file that is no lock. */
export function lockHolder(path: string): number | undefined {
  const found = ownerOf(path);
  return found !== undefined && isAlive(found) ? found.pid : undefined;
}

function tryTake(path: string, own: Owner): boolean {
  const draft = `${path}.draft-${own.pid}-${own.nonce}`;
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    const found = ownerOf(path);
    if (found === undefined || isAlive(found)) return false;
    const guard = `${path}.after-${found.nonce}`;
    if (!tryTake(guard, own)) return false;
    try {
      if (ownerOf(path)?.nonce !== found.nonce) return false;
      renameSync(draft, path);
      return true;
    } finally {
      rmSync(guard, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

function ownerOf(path: string): Owner | undefined {
  try {
    return parseOwner(readFileSync(path, 'utf8'));
  } catch (error) {
    // Released meanwhile. A file that is no lock was put there by hand: waiting for it would hide that.
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new Error(`${path} is not a lock file: remove it`, { cause: error });
  }
}

function parseOwner(text: string): Owner {
  const { pid, started, nonce } = JSON.parse(text) as Record<string, unknown>;
  const whole = Number.isInteger(pid) && typeof started === 'string' && /^[0-9a-f-]{36}$/.test(String(nonce));
  if (!whole) throw new TypeError('a field is missing');
  return { pid: Number(pid), started, nonce: String(nonce) };
}

function isAlive({ pid, started }: Owner): boolean {
  return processStart(pid) === started;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/**
 * What processes left that died in the middle of taking the lock. Its holder may remove every guard of a dead process:
 * guards are named after owners before this one, and whoever holds one looks again and finds that owner gone.
 */
function sweep(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const file = join(dirname(path), name);
    const drafter = /\.draft-(\d+)-/.exec(name)?.[1];
    const left = drafter === undefined ? isLeftGuard(file) : processStart(Number(drafter)) === undefined;
    if (left) rmSync(file, { force: true });
  }
}

function isLeftGuard(file: string): boolean {
  if (!file.includes('.after-')) return false;
  const found = ownerOf(file);
  return found !== undefined && !isAlive(found);
}

import { existsSync, rmSync } from 'node:fs';
import * as processLock from '@neural-hive/worker-agents';
import { environmentFailure, fileFailure } from '../failure.ts';

export interface SupervisorLock {
  /** Idempotent. */
  release(): void;
}

/** The supervisor that holds the lock and lives, if any. A pid that was given to another process does not count. */
export function lockHolder(path: string): number | undefined {
  try {
    return processLock.lockHolder(path);
  } catch {
    // Locks appear whole: one that cannot be read was torn by a full disk or a machine that went down.
    return undefined;
  }
}

/** One supervisor a data folder, also of several that start at once. A lock whose holder is gone is taken over. */
export function takeLock(path: string): SupervisorLock {
  let held: SupervisorLock | undefined;
  try {
    if (isTorn(path)) rmSync(path, { force: true });
    held = processLock.tryTakeLock(path);
  } catch (error) {
    throw fileFailure(error, path);
  }
  if (held === undefined) {
    throw environmentFailure(
      `A platform is running on this folder already (process ${lockHolder(path) ?? 'unknown'}): stop it with \`hive down\`.`,
    );
  }
  return { release: () => rmSync(path, { force: true }) };
}

function isTorn(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    processLock.lockHolder(path);
    return false;
  } catch {
    return true;
  }
}

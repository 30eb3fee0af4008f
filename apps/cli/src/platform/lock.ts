import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { environmentFailure, fileFailure } from '../failure.ts';
import { processStart } from './processes.ts';

export interface SupervisorLock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly started: string;
}

/** The supervisor that holds the lock and lives, if any. A pid that was given to another process does not count. */
export function lockHolder(path: string): number | undefined {
  let holder: Partial<Holder>;
  try {
    holder = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder>;
  } catch {
    return undefined;
  }
  const { pid, started } = holder;
  return typeof pid === 'number' && started !== undefined && processStart(pid) === started ? pid : undefined;
}

/** One supervisor a data folder. A lock whose holder is gone is cleared. */
export function takeLock(path: string): SupervisorLock {
  const running = lockHolder(path);
  if (running !== undefined) {
    throw environmentFailure(
      `A platform is running on this folder already (process ${running}): stop it with \`hive down\`.`,
    );
  }
  try {
    unlinkSync(path);
  } catch {
    // No stale lock to clear.
  }
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw fileFailure(error, path);
  }
  writeSync(file, JSON.stringify({ pid: process.pid, started: processStart(process.pid) ?? '' } satisfies Holder));
  closeSync(file);
  return { release: () => unlinkSync(path) };
}

import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertSocketPath } from '@neural-hive/security/common';
import { RealStackError } from '../real-stack-error.ts';

/** Where a run keeps what other commands need to find it. */
export interface RunFolder {
  readonly path: string;
  /** Held by the process that started the components. */
  readonly lock: string;
  /** Where it answers. */
  readonly socket: string;
  /** Files that clients need. */
  readonly files: string;
  /** One file a component. */
  readonly logs: string;
}

/** One for each user and checkout: two checkouts do not meet. REAL_STACK_RUN names another. */
export function runFolder(root: string, env: NodeJS.ProcessEnv = process.env): RunFolder {
  const hash = createHash('sha256').update(root).digest('hex').slice(0, 8);
  const path = env.REAL_STACK_RUN ?? join(tmpdir(), `hive-real-${process.getuid?.() ?? 0}-${hash}`);
  const inside = (name: string): string => join(path, name);
  const folder = {
    path,
    lock: inside('lock'),
    socket: inside('control.sock'),
    files: inside('files'),
    logs: inside('logs'),
  };
  assertSocketPath(folder.socket);
  return folder;
}

/** Makes it, for this user only. @throws RealStackError `start_failed` when it is somebody else's */
export function makeRunFolder({ path, logs }: RunFolder): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
    throw new RealStackError('start_failed', `${path} is not a folder of this user: remove it`);
  }
  chmodSync(path, 0o700);
  mkdirSync(logs, { recursive: true, mode: 0o700 });
}

/** What a run that is gone has left. Its logs stay. */
export function clearRunFolder({ socket, files }: RunFolder): void {
  rmSync(socket, { force: true });
  rmSync(files, { recursive: true, force: true });
}

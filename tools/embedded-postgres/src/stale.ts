import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PostgresServerError } from './errors.ts';
import { GUARD_NAME } from './guard.ts';
import { commandLine, isAlive, isServerOf, parentOf } from './processes.ts';

const ENDING_LIMIT_MS = 12_000;
/** How soon a guard begins to shut its server down after its supervisor has died. */
const GRACE_MS = 1_000;
const POLL_MS = 25;
/** No kernel gives out such a process id. */
const IMPOSSIBLE_PID = '999999999';

function pidIn(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}

/** The id of the server that runs on the data folder, if one does. */
export function runningServer(dataFolder: string): number | undefined {
  const pid = pidIn(join(dataFolder, 'postmaster.pid'));
  return pid !== undefined && isServerOf(pid, dataFolder) ? pid : undefined;
}

/** The line of the lock file in which the server says what it is doing. */
const STATUS_LINE = 7;

function isStopping(dataFolder: string): boolean {
  const lock = join(dataFolder, 'postmaster.pid');
  return existsSync(lock) && readFileSync(lock, 'utf8').split('\n')[STATUS_LINE]?.trim() === 'stopping';
}

async function waitForEnd(pid: number, dataFolder: string, limitMs: number): Promise<boolean> {
  const start = performance.now();
  while (isServerOf(pid, dataFolder)) {
    const waitedMs = performance.now() - start;
    if (waitedMs > ENDING_LIMIT_MS || (waitedMs > limitMs && !isStopping(dataFolder))) return false;
    await delay(POLL_MS);
  }
  return true;
}

/**
 * Makes the data folder free for a new server: a server that a killed supervisor left is waited for or shut down, one
 * that somebody looks after is an error, and lock files whose process is gone are cleared.
 */
export async function clearStaleServer(dataFolder: string): Promise<void> {
  const lock = join(dataFolder, 'postmaster.pid');
  const server = runningServer(dataFolder);
  if (server !== undefined) {
    const guarded = commandLine(parentOf(server) ?? 0).includes(GUARD_NAME);
    // Without a guard nobody will ever end it. With one, its supervisor may have died a moment ago.
    if (!guarded) process.kill(server, 'SIGINT');
    if (!(await waitForEnd(server, dataFolder, guarded ? GRACE_MS : ENDING_LIMIT_MS))) {
      throw new PostgresServerError(
        'in_use',
        `Another PostgreSQL server (process ${server}) runs on ${dataFolder}: stop the program that started it`,
        { retryable: true },
      );
    }
  }
  const pid = pidIn(lock);
  if (pid !== undefined && isAlive(pid)) {
    // The id was given to another program. The rest of the file stays, because by it the server recognises
    // processes of the dead one that still use its shared memory.
    const [, ...rest] = readFileSync(lock, 'utf8').split('\n');
    writeFileSync(lock, [IMPOSSIBLE_PID, ...rest].join('\n'));
  }
}

/** Removes a socket and its lock file unless a living server holds them. */
export function clearStaleSocket(socketFolder: string, port: number): void {
  const socket = join(socketFolder, `.s.PGSQL.${port}`);
  const lock = `${socket}.lock`;
  if (existsSync(lock)) {
    const [pid = '', dataFolder = ''] = readFileSync(lock, 'utf8').split('\n');
    if (dataFolder !== '' && isServerOf(Number(pid), dataFolder)) {
      throw new PostgresServerError(
        'in_use',
        `Another PostgreSQL server (process ${pid}) holds the socket ${socket}: choose another port or socket folder`,
      );
    }
  }
  rmSync(lock, { force: true });
  rmSync(socket, { force: true });
}

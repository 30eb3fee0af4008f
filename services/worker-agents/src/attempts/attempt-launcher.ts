import { chmodSync, lchownSync, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { assertSocketPath } from '@neural-hive/security/common';
import { type ConnectionOptions, serveAttempt } from './launcher-connection.ts';
import { type ProgramCatalogue, programCatalogue } from './program-catalogue.ts';
import { UidPool } from './uid-pool.ts';
import { builtGuards, type GuardPrograms } from './watchdog-process.ts';

export interface AttemptLauncherOptions {
  /** Its folder must exist, be owned by `workerUid` and closed to everybody else (0700). */
  readonly socketPath: string;
  /** The only uid, beside root, that may ask for attempts. Its group reads their products. */
  readonly workerUid: number;
  /** Default: `workerUid`. */
  readonly workerGid?: number;
  /** Uids that no other process of the machine has; as many attempts run at the same time. */
  readonly uids: readonly number[];
  readonly programs: ProgramCatalogue;
  /** Made if absent, owned by root. Every uid must be able to cross the folders above it. */
  readonly workspaces: string;
  /** Default: the built programs beside this file. Every uid must be able to read them. */
  readonly guards?: GuardPrograms;
  /** The Node binary that runs the guards. Default: the one that runs this. Every uid must be able to run it. */
  readonly node?: string;
  readonly onError?: (error: unknown) => void;
}

export interface AttemptLauncher {
  /** Ends all attempts and resolves when nothing of them is left. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The privileged half of attempts: started by root, it runs each one under a uid of its own and guarantees that no
 * process of it lives once the worker has hung up. A worker, which cannot change uids, asks over a Unix socket, one
 * connection an attempt. Throws a `RangeError` for an unsuitable option.
 */
export async function startAttemptLauncher(options: AttemptLauncherOptions): Promise<AttemptLauncher> {
  if (process.getuid?.() !== 0) throw new RangeError('The launcher changes uids and has to be started by root');
  const { socketPath, workerUid, workerGid = workerUid, uids, onError = () => {} } = options;
  const { guards = builtGuards(), node = process.execPath } = options;
  assertSocketPath(socketPath);
  assertPrivateFolder(dirname(socketPath), workerUid);
  if (uids.includes(workerUid))
    throw new RangeError('uids: the worker has one of them, so an attempt would be the worker');
  const programs = programCatalogue.parse(options.programs);
  const pool = new UidPool(uids, guards.reaper, node);
  await Promise.all(uids.map((uid) => pool.reap(uid)));
  await clearWorkspaces(options.workspaces, pool, uids);

  const serving = new Set<Promise<void>>();
  const connection: ConnectionOptions = {
    programs,
    workspaces: options.workspaces,
    workerGid,
    pool,
    watchdog: guards.watchdog,
    node,
  };
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const served = serveAttempt(socket, connection)
      .catch(onError)
      .finally(() => serving.delete(served));
    serving.add(served);
  });
  rmSync(socketPath, { force: true });
  await listen(server, socketPath);
  // The folder is the worker's: what it may have put in the socket's place must not be given to it.
  lchownSync(socketPath, workerUid, workerGid);

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...serving]);
      rmSync(socketPath, { force: true });
    })();
    return closing;
  };
  return { close, [Symbol.asyncDispose]: close };
}

function assertPrivateFolder(folder: string, owner: number): void {
  const { uid, mode } = lstatSync(folder);
  if (uid !== owner || (mode & 0o077) !== 0) {
    throw new RangeError("socketPath: its folder must be the worker's and closed to all others (mode 0700)");
  }
}

/** What a launcher that was killed left behind. */
async function clearWorkspaces(folder: string, pool: UidPool, uids: readonly number[]): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const { uid, mode } = lstatSync(folder);
  if (uid !== 0 || (mode & 0o022) !== 0) throw new RangeError('workspaces: only root may write into it');
  chmodSync(folder, 0o711);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const owner = lstatSync(path).uid;
    if (!uids.includes(owner)) throw new RangeError(`workspaces: "${name}" in it belongs to no attempt`);
    await pool.reap(owner, path);
    rmdirSync(path);
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Made with its mode: a change of the mode afterwards would follow a link.
    const mask = process.umask(0o177);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
    process.umask(mask);
  });
}

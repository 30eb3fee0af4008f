import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { assertSocketPath } from '@neural-hive/security/common';
import type { BinarySource } from './binaries/binaries.ts';
import { locateBinaries } from './binaries/locate.ts';
import { initCluster, makeServerFolder, prepareCluster, SUPERUSER } from './cluster.ts';
import { fileError, PostgresServerError } from './errors.ts';
import { canUseFolder, chooseRunAs, type RunAs } from './run-as.ts';
import { Server, type StopMode } from './server.ts';
import { clearStaleServer, clearStaleSocket } from './stale.ts';

export interface StartOptions {
  /**
   * Where the cluster lives, in a folder below it that is named after the major version. Without it the cluster is a
   * throw-away one in a temporary folder: faster, not durable, deleted when it ends.
   */
  readonly dataFolder?: string;
  /** Where the Unix socket is made. Default: next to a throw-away cluster, else `<dataFolder>/socket`. */
  readonly socketFolder?: string;
  /** Made when it does not exist. Default `postgres`. */
  readonly database?: string;
  /** Set at every start. Default: 24 random bytes. */
  readonly superuserPassword?: string;
  /** Only part of the socket's name: nothing listens on TCP. Default 5432. */
  readonly port?: number;
  /** Receives every line that the server writes. Default: none. */
  readonly log?: (line: string) => void;
  /** Further settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The only place to look for binaries. Default: EMBEDDED_POSTGRES_SOURCE, else PATH, Debian, npm in this order. */
  readonly source?: BinarySource;
}

export interface EmbeddedPostgres extends AsyncDisposable {
  /** The `host` for PostgreSQL clients. */
  readonly socketFolder: string;
  readonly port: number;
  readonly superuser: { readonly user: string; readonly password: string };
  readonly database: string;
  /** The server program that runs. */
  readonly binary: string;
  readonly source: BinarySource;
  readonly majorVersion: number;
  readonly pid: number;
  /** The data folder of this major version. */
  readonly dataFolder: string;
  /** Resolves with the server's exit code when it has ended for whatever reason. */
  readonly exited: Promise<number | null>;
  /** Idempotent. Default `fast`; `immediate` for a throw-away cluster. */
  stop(mode?: StopMode): Promise<void>;
}

const THROW_AWAY_SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };
const SHARED_MEMORY_TRIES = 50;
const SHARED_MEMORY_WAIT_MS = 100;

/** A temporary folder that the server's user can reach. TMPDIR may lie below a private folder. */
function makeTemporaryFolder(user: RunAs): string {
  const base = [tmpdir(), '/tmp', '/var/tmp'].find((folder) => canUseFolder(folder, user)) ?? tmpdir();
  try {
    const folder = mkdtempSync(join(realpathSync(base), 'pg-'));
    if (user.switches) chownSync(folder, user.uid, user.gid);
    chmodSync(folder, user.switches ? 0o711 : 0o700);
    return folder;
  } catch (error) {
    throw fileError(error, base);
  }
}

/** `unix_socket_directories` is a list; quoted, a comma in the path is part of it. */
const quoteDirectory = (path: string): string => `"${path.replaceAll('"', '""')}"`;

/** Processes of a server that was killed may hold its shared memory for a moment. */
async function startPatiently(start: () => Promise<Server>): Promise<Server> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start();
    } catch (error) {
      const passing = error instanceof Error && /shared memory block .* is still in use/.test(error.message);
      if (!passing || tries === SHARED_MEMORY_TRIES) throw error;
      await delay(SHARED_MEMORY_WAIT_MS);
    }
  }
}

/** Shows itself without the password to logs and `util.inspect`; spreading it into client options keeps it. */
function superuserOf(password: string): { user: string; password: string } {
  const superuser = { user: SUPERUSER, password };
  const hidden = { user: SUPERUSER, password: '[secret]' };
  Object.defineProperty(superuser, 'toJSON', { value: () => hidden });
  Object.defineProperty(superuser, inspect.custom, { value: () => hidden });
  return superuser;
}

/**
 * Starts a PostgreSQL server that only its Unix socket leads to, with SCRAM passwords, and resolves when it accepts
 * connections. It ends cleanly with this process, even when this process is killed.
 *
 * @throws PostgresServerError one line that says what to do
 * @throws RangeError when the socket's path is over 103 bytes
 */
export async function startPostgres(options: StartOptions = {}): Promise<EmbeddedPostgres> {
  const { database = 'postgres', port = 5432, log = () => {} } = options;
  const password = options.superuserPassword ?? randomBytes(24).toString('base64url');
  const user = chooseRunAs();
  const binaries = locateBinaries(user, options.source);
  const durable = options.dataFolder !== undefined;
  const temporary = durable ? undefined : makeTemporaryFolder(user);
  const base = temporary ?? resolve(options.dataFolder ?? '');
  const crossing = user.switches ? 0o711 : 0o700;
  try {
    const socketFolder = resolve(options.socketFolder ?? join(base, durable ? 'socket' : 's'));
    assertSocketPath(join(socketFolder, `.s.PGSQL.${port}`));
    if (durable) makeServerFolder(base, crossing, user);
    makeServerFolder(socketFolder, crossing, user);
    // The server knows its folder by its real path; comparisons with a running one need the same.
    const data = join(realpathSync(base), `postgresql-${binaries.majorVersion}`);
    await clearStaleServer(data);
    clearStaleSocket(socketFolder, port);
    await initCluster(binaries, user, data, durable);
    await prepareCluster(binaries, user, data, { password, database, durable });
    const settings = {
      listen_addresses: '',
      unix_socket_directories: quoteDirectory(socketFolder),
      port: String(port),
      password_encryption: 'scram-sha-256',
      logging_collector: 'off',
      log_destination: 'stderr',
      log_checkpoints: 'off',
      // A statement that fails may hold a password.
      log_min_error_statement: 'panic',
      ...(durable ? {} : THROW_AWAY_SETTINGS),
      ...options.settings,
    };
    const server = await startPatiently(() =>
      Server.start({ binaries, user, data, settings, removeFolder: temporary, log }),
    );
    const stop = (mode: StopMode = durable ? 'fast' : 'immediate'): Promise<void> => server.stop(mode);
    return {
      socketFolder,
      port,
      superuser: superuserOf(password),
      database,
      binary: join(binaries.folder, 'postgres'),
      source: binaries.source,
      majorVersion: binaries.majorVersion,
      pid: server.pid,
      dataFolder: data,
      exited: server.exited,
      stop,
      [Symbol.asyncDispose]: () => stop(),
    };
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    if (error instanceof RangeError || error instanceof PostgresServerError) throw error;
    throw fileError(error, base);
  }
}

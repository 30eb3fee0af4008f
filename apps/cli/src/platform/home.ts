import { createHash } from 'node:crypto';
import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { environmentFailure, fileFailure } from '../failure.ts';
import type { ServiceUsers } from './users.ts';

/** Every folder of a platform. What is below `data` survives a restart; what is below `run` does not. */
export interface Home {
  readonly data: string;
  readonly run: string;
  /** Holds the folders of the servers and services: `data` itself, or one below it that every start empties. */
  readonly kept: string;
  readonly lockFile: string;
  /** What other `hive` commands read: addresses of the running platform. No secret. */
  readonly stateFile: string;
  readonly authority: string;
  readonly postgres: string;
  readonly registry: string;
  readonly orchestrator: string;
  readonly worker: string;
  readonly stage: string;
  readonly logs: string;
  readonly caFile: string;
  /** What the authority reads at its start. Not in its own folder, where it could put a link for root to follow. */
  readonly authorityConfig: string;
  readonly postgresSockets: string;
  readonly launcherSockets: string;
  /** The folder that holds the Workload API socket of one workload. */
  identity(workload: string): string;
}

/** `HIVE_HOME`, else the system's place for root's data or the user's own. */
function defaultData(root: boolean): string {
  if (process.env.HIVE_HOME) return resolve(process.env.HIVE_HOME);
  if (root) return '/var/lib/neural-hive';
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'neural-hive');
}

/** Below it come the run folder's name and, at most, `id/orchestrator-dynamic/agent.sock`: less than 103 bytes in all. */
const LONGEST_BASE = 50;

interface HomeOptions {
  readonly root: boolean;
  /** Default: see `defaultData`. */
  readonly data?: string;
  /** Whether what the services keep outlives the platform. Default true. */
  readonly durable?: boolean;
}

/** Names the folders without making them. The run folder is short, since socket paths hold 103 bytes. */
export function locateHome(options: HomeOptions): Home {
  const data = options.data === undefined ? defaultData(options.root) : resolve(options.data);
  const name = `nh-${createHash('sha256').update(data).digest('hex').slice(0, 8)}`;
  const own = process.env.XDG_RUNTIME_DIR ?? tmpdir();
  const base = options.root ? '/run' : Buffer.byteLength(own) <= LONGEST_BASE ? own : '/tmp';
  const run = join(base, name);
  const kept = options.durable === false ? join(data, 'passing') : data;
  return {
    data,
    run,
    kept,
    lockFile: join(data, 'supervisor.lock'),
    stateFile: join(run, 'platform.json'),
    authority: join(kept, 'authority'),
    postgres: join(kept, 'postgres'),
    registry: join(kept, 'registry'),
    orchestrator: join(kept, 'orchestrator'),
    worker: join(kept, 'worker'),
    stage: join(data, 'stage'),
    logs: join(data, 'logs'),
    caFile: join(run, 'ca.pem'),
    authorityConfig: join(run, 'authority.json'),
    postgresSockets: join(run, 'pg'),
    launcherSockets: join(run, 'launch'),
    identity: (workload) => join(run, 'id', workload),
  };
}

interface FolderOptions {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Makes a folder with exactly this owner and mode; refuses one that is a link or belongs to somebody else. */
export function makeFolder(path: string, { mode, uid, gid }: FolderOptions): void {
  const own = process.getuid?.() ?? 0;
  try {
    mkdirSync(path, { recursive: true, mode });
    const found = lstatSync(path);
    if (!found.isDirectory()) throw environmentFailure(`${path} is not a folder: remove it.`);
    // As root one that is to belong to root, too: whoever owned it may have left something in it.
    if (found.uid !== own && (own !== 0 || uid === undefined)) {
      throw environmentFailure(`${path} belongs to another user: remove it or choose another folder with --home.`);
    }
    if (own === 0) chownSync(path, uid ?? 0, gid ?? uid ?? 0);
    chmodSync(path, mode);
  } catch (error) {
    if (error instanceof Error && error.name === 'Failure') throw error;
    throw fileFailure(error, path);
  }
}

/**
 * Makes the folders. As root each service owns its own and no other service can enter it; the shared parents can be
 * crossed but not listed.
 */
export function makeHome(home: Home, users: ServiceUsers): void {
  const crossing = users.separated ? 0o711 : 0o700;
  makeFolder(home.data, { mode: crossing });
  makeFolder(home.kept, { mode: crossing });
  makeFolder(home.run, { mode: crossing });
  makeFolder(home.logs, { mode: 0o700 });
  makeFolder(home.authority, { mode: 0o700, uid: users.authority });
  makeFolder(home.registry, { mode: 0o700, uid: users.registry });
  makeFolder(home.orchestrator, { mode: 0o700, uid: users.orchestrator });
  makeFolder(home.worker, { mode: crossing, uid: users.worker });
  makeFolder(home.stage, { mode: users.separated ? 0o755 : 0o700 });
  makeFolder(home.launcherSockets, { mode: 0o700, uid: users.worker });
  makeFolder(join(home.run, 'id'), { mode: crossing });
  const owners = { operator: 0, 'orchestrator-dynamic': users.orchestrator, 'worker-agents': users.worker };
  for (const [workload, uid] of Object.entries({ ...owners, 'service-registry': users.registry })) {
    // The authority makes the socket in it, the workload's group crosses it; setgid hands the group on to the socket.
    if (users.separated) makeFolder(home.identity(workload), { mode: 0o2710, uid: users.authority, gid: uid });
    else makeFolder(home.identity(workload), { mode: 0o700 });
  }
}

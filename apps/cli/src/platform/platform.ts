import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { type AttemptLauncher, guardsIn, startAttemptLauncher } from '@neural-hive/worker-agents';
import { type PlatformState, writePlatformState } from '../client/platform-state.ts';
import type { Leftovers } from '../job/report.ts';
import type { Output } from '../output.ts';
import { AnnouncementUsers, listenerOf } from './announcement-users.ts';
import { SupervisedProcess } from './child-process.ts';
import { type JobCredential, migrate, startDatabase } from './database.ts';
import { type Home, locateHome, makeHome } from './home.ts';
import { countDatabaseLeftovers } from './leftovers.ts';
import { type SupervisorLock, takeLock } from './lock.ts';
import { choosePorts, type Ports, requireFreePorts } from './ports.ts';
import { processesWith, processStart, processTree } from './processes.ts';
import { type Adapters, type ProductionLogins, type ProfileName, profileOf, type Surroundings } from './profile.ts';
import { applySetup } from './secrets-setup.ts';
import { launcherSocket, serviceSpecs } from './services.ts';
import { type Programs, programsInPlace, stagePrograms } from './staging.ts';
import { chooseUsers, type ServiceUsers } from './users.ts';
import { attemptPrograms } from './worker-programs.ts';

/** The checkout this program was built in. */
const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url));

export interface PlatformOptions {
  /** Default `embedded`. */
  readonly profile?: ProfileName;
  /** The data folder. Default: `HIVE_HOME`, else the system's place for it. */
  readonly home?: string;
  /** Worker processes. Default 1. */
  readonly workers?: number;
  /** Ends the start after the step that runs; what was opened is closed. */
  readonly signal?: AbortSignal;
}

/** The platform on this machine: everything it needs, opened in order and closed in reverse. */
export class Platform {
  readonly home: Home;
  readonly state: PlatformState;
  readonly adapters: Adapters;
  /** Logins that were leased for one job of the start, the migrations, and given back. */
  readonly jobCredentials: readonly JobCredential[];
  /** From the start of the command until every service was ready. In milliseconds. */
  readonly readyMs: number;
  readonly #parts: Parts;
  readonly #output: Output;

  private constructor(parts: Parts, output: Output, readyMs: number) {
    this.home = parts.home;
    this.state = parts.state;
    this.adapters = { ...parts.surroundings.adapters, database: databaseOf(parts.postgres) };
    this.jobCredentials = parts.jobCredentials;
    this.readyMs = readyMs;
    this.#parts = parts;
    this.#output = output;
  }

  static async open(options: PlatformOptions, output: Output): Promise<Platform> {
    const startedMs = performance.now();
    const opened: Partial<Parts> = {};
    try {
      await open(options, output, opened);
      const readyMs = Math.round(performance.now() - startedMs);
      return new Platform(opened as Parts, output, readyMs);
    } catch (error) {
      await closeParts(opened);
      throw error;
    }
  }

  /** Gives one workload a new X509-SVID now. */
  rotateX509(spiffeId: string): Promise<void> {
    return this.#parts.surroundings.rotateX509(spiffeId);
  }

  /**
   * Replaces the login that a KV entry holds. `move` has its reader look at the entry; resolves with whether it moved, when
   * the old login is gone. Undefined for an entry that is not replaced here.
   */
  kvRotation(path: string): ((move: () => Promise<boolean>) => Promise<boolean>) | undefined {
    const { announcements, surroundings } = this.#parts;
    const { production } = surroundings;
    if (production !== undefined) return (move) => production.rotate(path, move);
    const listener = listenerOf(path);
    return listener && announcements && ((move) => announcements.rotate(listener, move));
  }

  /** Credentials that no service reports, and how each is replaced. */
  get ownRotations(): ProductionLogins['others'] {
    return this.#parts.surroundings.production?.others ?? [];
  }

  /** Pids of the supervisor and of everything it started. */
  pids(): number[] {
    return processTree(process.pid);
  }

  /** Stops everything and counts, from outside, what is left. */
  async close(): Promise<Leftovers> {
    const before = this.pids()
      .filter((pid) => pid !== process.pid)
      .map((pid) => ({ pid, started: processStart(pid) }));
    const leftovers = await this.#output.step('Shutting down', () => closeParts(this.#parts));
    const countProcesses = (): number => {
      const alive = before.filter(({ pid, started }) => started !== undefined && processStart(pid) === started);
      // Also those that left our tree, or were started since.
      return new Set([...alive.map(({ pid }) => pid), ...processesWith(this.#parts.marker)]).size;
    };
    // One that was told to end may need a moment until the system has taken it away.
    for (const endMs = performance.now() + LAST_MOMENT_MS; performance.now() < endMs; await delay(POLL_MS)) {
      if (countProcesses() === 0) break;
    }
    return { ...leftovers, processes: countProcesses() };
  }
}

/** A process that lives on longer than this after the end of all others was left behind. */
const LAST_MOMENT_MS = 1_000;
const POLL_MS = 20;

interface Parts {
  home: Home;
  users: ServiceUsers;
  programs: Programs;
  ports: Ports;
  lock: SupervisorLock;
  postgres: EmbeddedPostgres;
  surroundings: Surroundings;
  vault: VaultClient;
  /** Undefined where tickets travel by other means. */
  announcements?: AnnouncementUsers;
  jobCredentials: readonly JobCredential[];
  launcher: AttemptLauncher;
  services: SupervisedProcess[];
  /** A service died: it could not give back what it had leased. */
  abandoned: boolean;
  state: PlatformState;
  /** The entry of the environment that every process of this platform carries. */
  marker: string;
}

const MARKER = 'HIVE_PLATFORM';

async function open(options: PlatformOptions, output: Output, parts: Partial<Parts>): Promise<void> {
  const root = process.getuid?.() === 0;
  const profile = await profileOf(options.profile ?? 'embedded');
  const { durable } = profile;
  const home = locateHome({ root, durable, ...(options.home === undefined ? {} : { data: options.home }) });
  const users = chooseUsers({ root, data: home.data });
  await profile.check({ users });
  const ports = choosePorts(process.env);
  Object.assign(parts, { home, users, ports });
  makeHome(home, users);
  parts.lock = takeLock(home.lockFile);
  if (!durable) {
    // Its secrets server knows nothing of what an earlier one had leased.
    rmSync(home.kept, { recursive: true, force: true });
    makeHome(home, users);
  }
  await requireFreePorts(ports);
  if (!users.separated)
    output.line('Not started as root: the processes share one uid and are not separated from each other.');

  const marker = { [MARKER]: randomUUID() };
  parts.marker = `${MARKER}=${marker[MARKER]}`;
  const onRestart = (name: string, why: string): void => output.line(`${name} ended (${why}) and is started again`);
  const programs = await output.step(users.separated ? 'Staging the programs' : 'Finding the programs', async () =>
    users.separated ? stagePrograms(REPOSITORY, home.stage) : programsInPlace(REPOSITORY),
  );
  parts.programs = programs;
  options.signal?.throwIfAborted();
  const [postgres, surroundings] = await output.step(`Starting PostgreSQL and ${profile.servers}`, () =>
    bothOrNone(
      startDatabase(home, (why) => onRestart('PostgreSQL', why)).then((started) => {
        parts.postgres = started;
        return started;
      }),
      profile.start({ home, users, programs, ports, marker, onRestart }).then((started) => {
        parts.surroundings = started;
        return started;
      }),
    ),
  );
  options.signal?.throwIfAborted();
  const vault = await VaultClient.open({
    address: surroundings.address,
    ca: { file: home.caFile },
    auth: tokenAuth({ token: surroundings.rootToken }),
  });
  parts.vault = vault;
  const { production } = surroundings;
  if (production === undefined) parts.announcements = new AnnouncementUsers({ vault, postgres });
  await output.step('Applying policies, roles and schemas', async () => {
    const others = { ...surroundings.setup, ...(await production?.prepareDatabase(postgres)) };
    await applySetup({ vault, postgres, others });
    // What a killed platform left behind: its leases end here, and with them its logins.
    await revokeAllLeases(vault, { force: !durable });
    await parts.announcements?.dropAll();
    parts.jobCredentials = await migrate(postgres, vault);
    await parts.announcements?.create();
  });
  if (production !== undefined) {
    await output.step('Making the first logins of Kafka and MongoDB, and starting Temporal', () =>
      production.complete(vault, postgres),
    );
  }
  options.signal?.throwIfAborted();
  if (users.separated) {
    parts.launcher = await startAttemptLauncher({
      socketPath: launcherSocket(home),
      workerUid: users.worker,
      uids: users.attempts,
      programs: attemptPrograms(programs),
      workspaces: join(home.data, 'workspaces'),
      // Attempts run under uids that may not be able to read the clone.
      guards: guardsIn(join(programs.root, 'services/worker-agents/dist')),
      node: programs.node,
      onError: (error) => output.line(`attempt launcher: ${error instanceof Error ? error.message : String(error)}`),
    });
  }

  const { workers = 1 } = options;
  const { name } = profile;
  const specs = serviceSpecs({ home, users, programs, ports, postgres, profile: name, surroundings, marker, workers });
  await output.step('Starting registry, orchestrator and worker', async () => {
    const services: SupervisedProcess[] = [];
    parts.services = services;
    const started = specs.map(async (spec) => {
      services.push(
        await SupervisedProcess.start(spec, (name, why) => {
          parts.abandoned = true;
          onRestart(name, why);
        }),
      );
    });
    await bothOrNone(...started);
  });
  parts.state = {
    pid: process.pid,
    startedAtMs: Date.now(),
    operatorSocket: surroundings.workloadSocket('operator'),
    vaultAddress: surroundings.address,
    caFile: home.caFile,
    orchestrator: {
      port: ports.orchestrator,
      management: ports.orchestratorManagement,
      metrics: ports.orchestratorMetrics,
    },
    worker: { management: ports.workerManagement, metrics: ports.workerMetrics },
    registry: { port: ports.registry, management: ports.registryManagement, metrics: ports.registryMetrics },
  };
  writePlatformState(home.stateFile, parts.state);
}

/** Waits for all, so that a failure of one leaves none of the others half started and unknown. */
async function bothOrNone<T extends readonly unknown[]>(...work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

function databaseOf({ majorVersion }: EmbeddedPostgres): string {
  return `PostgreSQL ${majorVersion}`;
}

/** `force` forgets those whose login a server cannot end, because it is another server than the one that has it. */
async function revokeAllLeases(vault: VaultClient, { force = false } = {}): Promise<void> {
  const revoke = (how: string) => vault.request({ method: 'PUT', path: `sys/leases/${how}/database/creds` });
  try {
    await revoke('revoke-prefix');
  } catch (error) {
    if (!force) throw error;
    await revoke('revoke-force');
  }
}

/** Closes what was opened, in reverse, and counts what the services and the supervisor left behind. */
async function closeParts(parts: Partial<Parts>): Promise<Omit<Leftovers, 'processes'>> {
  const left = { roles: 0, sessions: 0, leases: 0 };
  const attempt = async (work: (() => Promise<unknown> | undefined) | undefined): Promise<void> => {
    try {
      await work?.();
    } catch {
      // One part that does not close must not keep the others open; what it leaves is counted.
    }
  };
  await Promise.all((parts.services ?? []).map((service) => attempt(() => service.stop())));
  await attempt(() => parts.launcher?.close());
  await attempt(() => parts.announcements?.dropAll());
  await attempt(() => parts.surroundings?.production?.drop());
  const { postgres, surroundings, vault } = parts;
  if (parts.abandoned && vault !== undefined) await attempt(() => revokeAllLeases(vault));
  if (postgres !== undefined) await attempt(async () => Object.assign(left, await countDatabaseLeftovers(postgres)));
  await attempt(async () => Object.assign(left, await surroundings?.countLeftovers(vault)));
  await attempt(() => parts.vault?.close());
  await attempt(() => surroundings?.close());
  await attempt(() => postgres?.stop());
  if (parts.home !== undefined && parts.lock !== undefined) {
    rmSync(parts.home.run, { recursive: true, force: true });
    parts.lock.release();
  }
  return left;
}

export const SERVICE_IDENTITIES = {
  orchestrator: SPIFFE_IDS.orchestrator,
  worker: SPIFFE_IDS.worker,
  registry: SPIFFE_IDS.registry,
} as const;

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { environmentFailure } from '../failure.ts';
import { locateHome } from '../platform/home.ts';
import { countOpenLeases } from '../platform/leftovers.ts';
import { choosePorts, requireFreePorts } from '../platform/ports.ts';
import { processTree } from '../platform/processes.ts';
import type { Choice, Target } from './fault-schedule.ts';
import type { Ledger } from './ledger.ts';

const HIVE = fileURLToPath(new URL('../main.js', import.meta.url));
const START_LIMIT_MS = 300_000;
const POLL_MS = 50;

const ending = z.object({
  leftovers: z.object({
    ...{ roles: z.int(), sessions: z.int(), leases: z.int(), processes: z.int() },
    /** Of other servers than PostgreSQL. */
    users: z.int().default(0),
  }),
});
export type Leftovers = z.infer<typeof ending>['leftovers'];

/** How a profile is started, and what of it can be hit. Everything else of a run is the same on every profile. */
export interface Profile {
  /** Of `hive up`, besides the data folder. */
  readonly arguments: readonly string[];
  /** The parts that can be hit. */
  readonly targets: Readonly<Record<Target, Part>>;
  /** Database logins that are leased at this moment; undefined where only the supervisor may ask. */
  openLogins(data: string): number | undefined;
}

interface Part {
  /** How its processes are told. */
  readonly is: (process: SeenProcess) => boolean;
  /** Whether the supervisor starts it again. */
  readonly comesBack: boolean;
}

/** A process as the system shows it. */
interface SeenProcess {
  readonly command: string;
  /** Its environment as `NAME=value`, one after another with a NUL behind each. */
  readonly environment: string;
}

const WORKERS = 2;

const service =
  (name: string) =>
  ({ command }: SeenProcess): boolean =>
    command.includes(`/${name}/dist/main.js`);

/** Workers differ in where they keep account of their leases. */
const worker =
  (journal: string) =>
  (seen: SeenProcess): boolean =>
    service('worker-agents')(seen) && seen.environment.includes(`/${journal}\0`);

/** The server itself, or one of the processes that it made: those have their task in the place of the command line. */
const isPostgres = ({ command }: SeenProcess): boolean => /(^|\/)postgres(:| )/.test(command);

const supervised = (is: Part['is']): Part => ({ is, comesBack: true });
/** What such a server keeps is in its memory, and its supervisor does not start it again. */
const lasting = (program: RegExp): Part => ({ is: ({ command }) => program.test(command), comesBack: false });

const SERVICES: Profile['targets'] = {
  orchestrator: supervised(service('orchestrator-dynamic')),
  'worker-1': supervised(worker('leases')),
  'worker-2': supervised(worker('leases-2')),
  registry: supervised(service('service-registry')),
  postgres: supervised(isPostgres),
};

const LEASED = 'database/creds/';

export const EMBEDDED: Profile = {
  arguments: ['--workers', String(WORKERS)],
  targets: { ...SERVICES, authority: supervised(service('dev-authority')) },
  openLogins: (data) => {
    const { authority } = locateHome({ root: process.getuid?.() === 0, data });
    return countOpenLeases(join(authority, 'audit.log'), LEASED);
  },
};

export const REAL: Profile = {
  arguments: ['--workers', String(WORKERS), '--profile', 'real'],
  targets: {
    ...SERVICES,
    openbao: lasting(/(^|\/)bao server /),
    'spire-server': lasting(/(^|\/)spire-server run /),
    'spire-agent': lasting(/(^|\/)spire-agent run /),
    redis: lasting(/(^|\/)redis-server /),
    kubernetes: lasting(/(^|\/)(kubernetes kube-apiserver|etcd) /),
  },
  openLogins: () => undefined,
};

/** A platform that this run started, as a user starts one, in a process of its own. */
export class ChaosPlatform {
  readonly data: string;
  readonly #profile: Profile;
  readonly #child: ChildProcess;
  readonly #said = { stdout: '', stderr: '' };
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess, profile: Profile, data: string, onLine: (line: string) => void) {
    this.#child = child;
    this.#profile = profile;
    this.data = data;
    this.#ended = once(child, 'close');
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#said.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said.stderr += text;
      for (const line of text.split('\n')) if (line !== '') onLine(`  hive: ${line}`);
    });
  }

  /** Resolves once the platform is up. Throws a `Failure` when it does not come up. */
  static async start(options: {
    readonly profile: Profile;
    readonly data: string;
    readonly ledger: Ledger;
    readonly onLine: (line: string) => void;
    readonly signal: AbortSignal;
  }): Promise<ChaosPlatform> {
    const { profile, data, ledger, onLine, signal } = options;
    const child = spawn(process.execPath, [HIVE, 'up', '--no-job', '--json', '--home', data, ...profile.arguments], {
      env: {
        ...process.env,
        HIVE_PORT_BASE: String(await freePortBase()),
        WORKER_PROJECTS_FOLDER: ledger.projectsFolder,
        ALLOWED_PROGRAMS_FILE: ledger.programsFile,
      },
      // Ctrl-C in the terminal is for this program, which ends the platform in order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const platform = new ChaosPlatform(child, profile, data, onLine);
    const endMs = performance.now() + START_LIMIT_MS;
    while (!platform.#said.stderr.includes('The platform is up.')) {
      if (child.exitCode !== null || performance.now() > endMs || signal.aborted) {
        await platform.close();
        signal.throwIfAborted();
        throw environmentFailure('The platform did not come up: the lines above say why.');
      }
      await delay(POLL_MS);
    }
    return platform;
  }

  get targets(): readonly Choice[] {
    return Object.entries(this.#profile.targets).map(([name, { comesBack }]) => ({ name, comesBack }));
  }

  /** Pids of a target, its first process first; none while it is not running. */
  pidsOf(target: Target): readonly number[] {
    const part = this.#profile.targets[target];
    if (part === undefined) return [];
    return processTree(this.#child.pid ?? -1).filter((pid) => {
      const seen = seenProcess(pid);
      return seen !== undefined && part.is(seen);
    });
  }

  openLogins(): number | undefined {
    return this.#profile.openLogins(this.data);
  }

  /** Ends the platform as Ctrl-C does and says what it left behind; undefined when it did not end in order. */
  async close(): Promise<Leftovers | undefined> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGINT');
    await this.#ended;
    const last = this.#said.stdout.trim().split('\n').at(-1) ?? '';
    try {
      return ending.parse(JSON.parse(last)).leftovers;
    } catch {
      return undefined;
    }
  }
}

/** Undefined when it has ended. */
function seenProcess(pid: number): SeenProcess | undefined {
  try {
    const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
    return { command: read('cmdline').replaceAll('\0', ' '), environment: read('environ') };
  } catch {
    return undefined;
  }
}

async function freePortBase(): Promise<number> {
  const FIRST = 32_000;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const base = FIRST + Math.floor(Math.random() * 70) * 10;
    try {
      await requireFreePorts(choosePorts({ HIVE_PORT_BASE: String(base) }));
      return base;
    } catch {
      // Somebody else works there.
    }
  }
  throw environmentFailure(`No free ports from ${FIRST} on.`);
}

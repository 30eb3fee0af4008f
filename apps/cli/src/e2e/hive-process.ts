import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findPlatform, type PlatformState } from '../client/platform-state.ts';
import { type Home, locateHome, makeFolder } from '../platform/home.ts';
import { choosePorts, requireFreePorts } from '../platform/ports.ts';
import { processTree } from '../platform/processes.ts';
import type { ProfileName } from '../platform/profile.ts';

export const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url));
const HIVE = join(REPOSITORY, 'apps/cli/dist/main.js');
const START_LIMIT_MS = 300_000;

/** Started by root, so that every service has a uid of its own. */
export const AS_ROOT = process.getuid?.() === 0;

export type ServiceName = 'dev-authority' | 'orchestrator-dynamic' | 'worker-agents' | 'service-registry';

export interface HiveResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

interface HiveOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

function spawnHive(args: readonly string[], { env = {}, cwd = REPOSITORY }: HiveOptions): ChildProcess {
  if (!existsSync(HIVE)) throw new Error(`${HIVE} is missing: build first (npm run build)`);
  return spawn(process.execPath, [HIVE, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Collects what a command prints, as it comes. */
function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
  });
  return said;
}

/** Runs the built `hive` command to its end. */
export async function runHive(args: readonly string[], options: HiveOptions = {}): Promise<HiveResult> {
  const startedMs = performance.now();
  const child = spawnHive(args, options);
  const said = collect(child);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said, durationMs: performance.now() - startedMs };
}

/** A base for `HIVE_PORT_BASE` whose ports nothing uses. */
export async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const base = 22_000 + Math.floor(Math.random() * 1_000) * 10;
    try {
      await requireFreePorts(choosePorts({ HIVE_PORT_BASE: String(base) }));
      return base;
    } catch {
      // Somebody else works there.
    }
  }
  throw new Error('no free ports between 22000 and 32000');
}

/** A folder of the test's own that every uid can cross. */
export function scratchFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'hive-e2e-'));
  makeFolder(path, { mode: 0o711 });
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Waits until `done` says so; false when it has not within `limitMs`. */
export async function within(limitMs: number, done: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const endMs = performance.now() + limitMs; ; await delay(20)) {
    if (await done()) return true;
    if (performance.now() > endMs) return false;
  }
}

export interface RunningHiveOptions extends HiveOptions {
  readonly home: string;
  /** Default `embedded`. */
  readonly profile?: ProfileName;
  readonly portBase?: number;
}

/** A platform that a user started with `hive up --no-job`. */
export class RunningHive {
  readonly home: Home;
  readonly portBase: number;
  readonly #child: ChildProcess;
  readonly #said: { stdout: string; stderr: string };
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess, home: Home, portBase: number) {
    this.#child = child;
    this.#said = collect(child);
    this.#ended = once(child, 'close');
    this.home = home;
    this.portBase = portBase;
  }

  static async start(options: RunningHiveOptions): Promise<RunningHive> {
    const { portBase = await freePortBase(), profile = 'embedded', env, cwd } = options;
    const child = spawnHive(['up', '--no-job', '--profile', profile, '--home', options.home], {
      env: { ...env, HIVE_PORT_BASE: String(portBase) },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const hive = new RunningHive(child, locateHome({ root: AS_ROOT, data: options.home }), portBase);
    const up = (): boolean => hive.output.includes('The platform is up.');
    await within(START_LIMIT_MS, () => up() || child.exitCode !== null);
    if (up()) return hive;
    child.kill('SIGKILL');
    throw new Error(`hive up did not come up (exit ${child.exitCode}):\n${hive.output}`);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get output(): string {
    return this.#said.stdout + this.#said.stderr;
  }

  get state(): PlatformState {
    return findPlatform(this.home.data);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit code and the milliseconds that it took; null after a signal. */
  async end(signal: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> {
    const startedMs = performance.now();
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    await this.#ended;
    return { code: this.#child.exitCode, tookMs: performance.now() - startedMs };
  }
}

/** The pid of a service below the supervisor; undefined while it is not running. */
export function servicePid(supervisor: number, name: ServiceName): number | undefined {
  return processTree(supervisor).find((pid) => commandOf(pid).includes(`/${name}/dist/main.js`));
}

/** The command line of a process; empty when it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { processTree } from '@neural-hive/cli';

const HIVE = fileURLToPath(new URL('../../../apps/cli/dist/main.js', import.meta.url));
/** Of ten ports in a row that the platform listens on. */
const PORT_BASE = '33900';

/** What the processes of the platform are counted as, by what their command line holds. */
const PARTS: Readonly<Record<string, RegExp>> = {
  'orchestrator-dynamic': /\/orchestrator-dynamic\/dist\/main\.js/,
  'worker-agents': /\/worker-agents\/dist\/main\.js/,
  'service-registry': /\/service-registry\/dist\/main\.js/,
  'dev-authority': /\/dev-authority\/dist\/main\.js/,
  postgres: /(^|\/)postgres(:| )/,
};

/** The embedded platform as a user starts it, with as many workers as wanted and a project that tickets may name. */
export class HiveStage {
  readonly home: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.home = join(folder, 'home');
  }

  /** `files`: of the project `bench`. */
  static async open(options: { workers: number; files: Readonly<Record<string, string>> }): Promise<HiveStage> {
    const folder = mkdtempSync(join(tmpdir(), 'bench-hive-'));
    chmodSync(folder, 0o711);
    const project = join(folder, 'projects', 'bench');
    mkdirSync(project, { recursive: true, mode: 0o755 });
    for (const [name, content] of Object.entries(options.files)) {
      writeFileSync(join(project, name), content, { mode: 0o644 });
    }
    const args = ['up', '--no-job', '--json', '--home', join(folder, 'home'), '--workers', String(options.workers)];
    const child = spawn(process.execPath, [HIVE, ...args], {
      env: {
        ...process.env,
        HIVE_PORT_BASE: PORT_BASE,
        WORKER_PROJECTS_FOLDER: join(folder, 'projects'),
        LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const stage = new HiveStage(child, folder);
    for await (const line of createInterface({ input: child.stderr })) {
      process.stderr.write(`  hive: ${line}\n`);
      if (line.startsWith('The platform is up.')) {
        child.stderr.resume();
        return stage;
      }
    }
    await stage.close();
    throw new Error('the platform did not come up');
  }

  /** CPU time so far of each part, all its processes together, in milliseconds. The supervisor is `hive`. */
  cpuMs(): Record<string, number> {
    const [supervisor = -1, ...below] = processTree(this.#child.pid ?? -1);
    const used: Record<string, number> = { hive: cpuOf(supervisor) };
    for (const pid of below) {
      const command = commandOf(pid);
      const part = Object.keys(PARTS).find((name) => PARTS[name]?.test(command));
      if (part !== undefined) used[part] = (used[part] ?? 0) + cpuOf(pid);
    }
    return used;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGINT');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Ticks of the scheduler's clock a second, which Linux fixes for what it shows to programs. */
const TICKS_PER_SECOND = 100;

function cpuOf(pid: number): number {
  const fields = statOf(pid);
  // utime, stime, and those of children that have ended, the 14th to the 17th of all; two fields stand before the list.
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return (ticks * 1_000) / TICKS_PER_SECOND;
}

function statOf(pid: number): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

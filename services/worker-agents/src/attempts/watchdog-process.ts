import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { AttemptError } from './attempt-error.ts';
import type { AttemptExit } from './attempt-runner.ts';
import type { WatchdogOrder, WatchdogReport } from './attempt-watchdog.ts';

/** The program files of the guards, as `tsc` builds them. */
export interface GuardPrograms {
  readonly watchdog: string;
  readonly reaper: string;
}

/** The guards in a copy of this package's `dist`. */
export function guardsIn(dist: string): GuardPrograms {
  const built = (name: string): string => join(dist, 'attempts', name);
  return { watchdog: built('attempt-watchdog.js'), reaper: built('attempt-reaper.js') };
}

/** Beside this file in `dist`. Node cannot run them from their source. */
export function builtGuards(): GuardPrograms {
  return guardsIn(fileURLToPath(new URL('..', import.meta.url)));
}

export interface WatchdogOptions {
  readonly program: string;
  readonly order: WatchdogOrder;
  /** The Node binary that runs the watchdog. Default: the one that runs this. */
  readonly node?: string;
  /** Takes effect as root only. */
  readonly uid?: number;
}

/** One running watchdog. The attempt lives as long as `stdin` of it stays open. */
export class WatchdogProcess {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** How the attempt's program ended; rejects with an `AttemptError` when it was never started or its guard died. */
  readonly exit: Promise<AttemptExit>;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor({ program, order, uid, node = process.execPath }: WatchdogOptions) {
    const child = spawn(node, [program], {
      cwd: order.folder,
      env: {},
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      // A signal to the worker's process group must not end the guard before its work is done.
      detached: true,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#child = child;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
    this.#closed = once(child, 'exit').catch(() => undefined);
    this.exit = new Promise((resolve, reject) => {
      const lost = (why: string) => new AttemptError('lost', `The watchdog of the attempt ${why}`, { retryable: true });
      child.once('error', (error) => reject(lost(`cannot be started: ${error.message}`)));
      createInterface({ input: child.stdio[3] as Readable })
        .on('line', (line) => {
          const report = JSON.parse(line) as WatchdogReport;
          if (report.kind === 'exit') resolve({ code: report.code, signal: report.signal, timedOut: report.timedOut });
          if (report.kind === 'failed') {
            reject(new AttemptError('not_started', `The program cannot be started: ${report.message}`));
          }
        })
        .once('close', () => reject(lost('ended before its program did')));
    });
    this.exit.catch(() => undefined);
    child.stdin.on('error', () => undefined);
    child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  /** Ends the attempt, if it runs, and resolves when the watchdog has killed every process of it. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
  }

  /** For a watchdog that does not end by itself. */
  destroy(): void {
    this.#child.kill('SIGKILL');
  }
}

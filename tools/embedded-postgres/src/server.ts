import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Binaries } from './binaries/binaries.ts';
import { programError } from './errors.ts';
import { spawnGuarded } from './guard.ts';
import { isServerOf } from './processes.ts';
import type { RunAs } from './run-as.ts';

/** How the server ends: `smart` waits for clients, `fast` ends their sessions, `immediate` skips the checkpoint. */
export type StopMode = 'smart' | 'fast' | 'immediate';

const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;
const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;

export interface ServerOptions {
  readonly binaries: Binaries;
  readonly user: RunAs;
  readonly data: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly removeFolder?: string | undefined;
  readonly log: (line: string) => void;
}

/** One running server below its guard. */
export class Server {
  readonly pid: number;
  /** Resolves when server and guard have ended, with the server's exit code. */
  readonly exited: Promise<number | null>;
  readonly #guard: ChildProcess;
  readonly #data: string;

  private constructor(guard: ChildProcess, exited: Promise<number | null>, data: string) {
    this.#guard = guard;
    this.#data = data;
    this.exited = exited;
    this.pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** Resolves when the server accepts connections. */
  static async start({ binaries, user, data, settings, removeFolder, log }: ServerOptions): Promise<Server> {
    const guard = spawnGuarded({
      program: join(binaries.folder, 'postgres'),
      args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      user,
      removeFolder,
    });
    const exited = new Promise<number | null>((resolve) => guard.once('close', (code) => resolve(code)));
    const output: string[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (): void => {
          reject(programError('start_failed', 'Starting PostgreSQL', output.join('\n'), data));
        };
        const limit = setTimeout(() => {
          output.push(`error: not ready within ${READY_LIMIT_MS / 1000} s`);
          fail();
        }, READY_LIMIT_MS);
        guard.once('error', (error) => {
          output.push(`error: ${error.message}`);
          fail();
        });
        guard.once('close', () => {
          clearTimeout(limit);
          fail();
        });
        if (guard.stderr === null) return;
        createInterface({ input: guard.stderr }).on('line', (line) => {
          log(line);
          if (output.length < 100) output.push(line);
          if (!line.includes('database system is ready to accept connections')) return;
          clearTimeout(limit);
          resolve();
        });
      });
    } catch (error) {
      guard.stdin?.end();
      throw error;
    }
    return new Server(guard, exited, data);
  }

  /** Idempotent. After 10 s the mode becomes `immediate`. */
  async stop(mode: StopMode): Promise<void> {
    const signal = (name: NodeJS.Signals): void => {
      if (isServerOf(this.pid, this.#data)) process.kill(this.pid, name);
    };
    if (this.#guard.exitCode === null && this.#guard.signalCode === null) signal(STOP_SIGNALS[mode]);
    const limit = setTimeout(() => signal('SIGQUIT'), STOP_LIMIT_MS);
    await this.exited;
    clearTimeout(limit);
  }
}

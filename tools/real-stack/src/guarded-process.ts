import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { spawnGuarded } from '@neural-hive/embedded-postgres';
import { RealStackError } from './real-stack-error.ts';

export interface GuardedProcessOptions {
  /** For the reader. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Deleted when the process has ended. */
  readonly removeFolder?: string;
  readonly log?: (line: string) => void;
  /** What asks it to end, and what makes it after 10 s. Default INT and QUIT. */
  readonly stopSignals?: readonly [string, string];
}

const KEPT_LINES = 200;
const POLL_MS = 50;

/** A server process that ends with this one, even when this one is killed. */
export class GuardedProcess {
  readonly name: string;
  readonly pid: number | undefined;
  readonly #guard: ReturnType<typeof spawnGuarded>;
  readonly #lines: string[] = [];
  readonly #exited: Promise<void>;
  #ended = false;

  constructor(options: GuardedProcessOptions) {
    const { name, program, args, env, removeFolder, log, stopSignals } = options;
    this.name = name;
    const user = { name: 'self', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, switches: false };
    this.#guard = spawnGuarded({ program, args, user, removeFolder, env, stopSignals });
    this.pid = this.#guard.pid;
    if (this.#guard.stderr !== null) {
      createInterface({ input: this.#guard.stderr }).on('line', (line) => {
        log?.(line);
        if (this.#lines.push(line) > KEPT_LINES) this.#lines.shift();
      });
    }
    this.#exited = new Promise<void>((resolve) => {
      const end = (): void => {
        this.#ended = true;
        resolve();
      };
      this.#guard.once('close', end);
      this.#guard.once('error', (error) => {
        this.#lines.push(error.message);
        end();
      });
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What it wrote to standard error, newest last. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /**
   * Asks until it is ready. A process that ended, or is not ready in time, is stopped.
   * @throws RealStackError `start_failed` with the line of its output that says most
   */
  async ready(isReady: () => Promise<boolean>, options: { limitMs: number; reason?: () => string | undefined }) {
    const startMs = performance.now();
    while (!(await isReady())) {
      if (this.#ended || performance.now() - startMs > options.limitMs) {
        const reason = options.reason?.() ?? this.#lines.findLast((line) => /error/i.test(line)) ?? this.#lines.at(-1);
        await this.stop();
        throw new RealStackError('start_failed', `${this.name} did not start: ${reason ?? 'no output'}`);
      }
      await delay(POLL_MS);
    }
  }

  /** Ends it cleanly and waits for it. Idempotent. */
  async stop(): Promise<void> {
    this.#guard.stdin?.end();
    await this.#exited;
  }
}

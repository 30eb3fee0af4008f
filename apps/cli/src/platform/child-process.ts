import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { environmentFailure } from '../failure.ts';

export interface ChildSpec {
  readonly name: string;
  /** A program file for Node, readable by `uid`. */
  readonly program: string;
  readonly args?: readonly string[];
  /** The whole environment of the child: nothing of ours is passed on by accident. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Set as root only. */
  readonly uid?: number;
  readonly node: string;
  readonly logFile: string;
  /** How long it may take to be ready. Default 30 s. */
  readonly readyLimitMs?: number;
}

const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 9_000;
const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 5_000;
/** A child that lived this long has recovered: its next restart is quick again. */
const STABLE_MS = 30_000;

/**
 * One service process, kept alive: it is started again with growing delays when it dies, until `stop`. It is in a
 * process group of its own, so that Ctrl-C reaches the supervisor only, and reads the end of its standard input
 * as the supervisor's death.
 */
export class SupervisedProcess {
  readonly spec: ChildSpec;
  readonly #log: WriteStream;
  readonly #onRestart: (name: string, why: string) => void;
  #child: ChildProcess | undefined;
  #ready: Record<string, unknown> = {};
  #stopping = false;
  #restart: NodeJS.Timeout | undefined;
  #delayMs = FIRST_RESTART_MS;

  private constructor(spec: ChildSpec, onRestart: (name: string, why: string) => void) {
    this.spec = spec;
    this.#onRestart = onRestart;
    this.#log = createWriteStream(spec.logFile, { flags: 'a', mode: 0o600 });
    // A full disk must not end the supervisor, which is what shuts everything down.
    this.#log.on('error', () => undefined);
  }

  /** Resolves with the process once it has said that it is ready. */
  static async start(
    spec: ChildSpec,
    onRestart: (name: string, why: string) => void = () => {},
  ): Promise<SupervisedProcess> {
    const supervised = new SupervisedProcess(spec, onRestart);
    try {
      await supervised.#launch();
    } catch (error) {
      await supervised.stop();
      throw error;
    }
    return supervised;
  }

  /** A pipe may hold last words that come when the process, and the log with it, is over. */
  #write(line: string): void {
    if (this.#log.writable) this.#log.write(`${line}\n`);
  }

  /** What the process said when it became ready. */
  get ready(): Readonly<Record<string, unknown>> {
    return this.#ready;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #launch(): Promise<void> {
    const { program, args = [], env, cwd, uid, node, name, logFile, readyLimitMs = READY_LIMIT_MS } = this.spec;
    const startedMs = performance.now();
    const child = spawn(node, [program, ...args], {
      cwd,
      env: { ...env, HIVE_PARENT_PIPE: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#child = child;
    child.stdin?.on('error', () => {});
    const lastLines: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#write(line);
      lastLines.push(line);
      if (lastLines.length > 5) lastLines.shift();
    });
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        child.kill('SIGKILL');
        reject(environmentFailure(`${name} was not ready within ${readyLimitMs / 1000} s: see ${logFile}`));
      }, readyLimitMs);
      createInterface({ input: child.stdout }).on('line', (line) => {
        const said = readyLine(line);
        if (said === undefined) {
          this.#write(line);
          return;
        }
        clearTimeout(limit);
        this.#ready = said;
        resolve();
      });
      child.once('error', (error) => {
        clearTimeout(limit);
        reject(environmentFailure(`${name} cannot be started: ${error.message}`, error));
      });
      child.once('exit', (code, signal) => {
        clearTimeout(limit);
        const why = signal ?? `exit ${code}`;
        reject(
          environmentFailure([`${name} ended before it was ready (${why}): see ${logFile}`, ...lastLines].join('\n  ')),
        );
        if (Object.keys(this.#ready).length > 0) this.#relaunch(why, performance.now() - startedMs);
      });
    });
  }

  #relaunch(why: string, livedMs: number): void {
    if (this.#stopping) return;
    if (livedMs >= STABLE_MS) this.#delayMs = FIRST_RESTART_MS;
    this.#onRestart(this.spec.name, why);
    this.#restart = setTimeout(() => {
      const startedMs = performance.now();
      this.#ready = {};
      this.#launch().catch((error: Error) => {
        this.#write(error.message);
        this.#relaunch('not ready', performance.now() - startedMs);
      });
    }, this.#delayMs);
    this.#delayMs = Math.min(LONGEST_RESTART_MS, this.#delayMs * 2);
  }

  /** Asks the process to end, and ends it by force when it has not after 9 s. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await ended;
      clearTimeout(limit);
    }
    this.#log.end();
  }
}

function readyLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'ready' in value ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

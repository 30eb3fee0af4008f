import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@neural-hive/security/common';
import type { Component } from '../components.ts';
import { takeLock } from '../install-lock.ts';
import { RealStackError } from '../real-stack-error.ts';
import { type Controlled, type RunState, serveControl } from './control.ts';
import { inTurns } from './in-turns.ts';
import { clearRunFolder, makeRunFolder, type RunFolder } from './run-folder.ts';
import type { RunningComponent, Starter } from './running.ts';

/** More would only slow each other down on a small machine. */
const AT_ONCE = 2;

interface Started {
  readonly name: string;
  readonly running: RunningComponent;
  readonly logFile: string;
  readonly log: WriteStream;
}

export interface RunOptions {
  readonly folder: RunFolder;
  readonly starters: Readonly<Record<string, Starter>>;
  /** Receives one line about each step. */
  readonly tell: (line: string) => void;
}

/** Components that were started together. They end with this process; until then other processes can ask and end them. */
export class Run implements Controlled, AsyncDisposable {
  readonly #folder: RunFolder;
  readonly #tell: (line: string) => void;
  readonly #free: () => void;
  readonly #started = new Map<string, Started>();
  #end: () => void = () => {};
  readonly #ended = new Promise<void>((resolve) => {
    this.#end = resolve;
  });
  #closeControl: () => void = () => {};
  #closed = false;

  private constructor({ folder, tell }: RunOptions, free: () => void) {
    this.#folder = folder;
    this.#tell = tell;
    this.#free = free;
  }

  /**
   * Resolves when all of them answer. When one does not start, none stays.
   * @throws RealStackError `already_running` while another run holds the folder, else what the component said
   */
  static async start(components: readonly Component[], options: RunOptions): Promise<Run> {
    const { folder, starters } = options;
    makeRunFolder(folder);
    const free = takeLock(folder.lock);
    if (free === undefined) {
      throw new RealStackError('already_running', `A run is under way in ${folder.path}: npm run real -- stop`);
    }
    const run = new Run(options, free);
    try {
      clearRunFolder(folder);
      mkdirSync(folder.files, { mode: 0o700 });
      const results = await inTurns(components, AT_ONCE, (component) => run.#start(component, starters));
      const failure = results.find((result) => result.status === 'rejected');
      if (failure !== undefined) throw failure.reason;
      const control = await serveControl(folder.socket, run);
      run.#closeControl = () => control.close();
      return run;
    } catch (error) {
      await run.stop();
      throw error;
    }
  }

  /** Resolves when the last component has been stopped. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  async state(): Promise<RunState> {
    const components = [...this.#started.values()].map(async ({ name, running, logFile }) => {
      const healthy = await running.isHealthy().catch(() => false);
      return { name, version: running.version, healthy, log: logFile };
    });
    return { pid: process.pid, components: await Promise.all(components) };
  }

  environment(names: readonly string[] = []): Readonly<Record<string, string>> {
    return Object.assign({}, ...this.#called(names).map(({ running }) => running.environment));
  }

  /** Newest first, since later ones may use earlier ones. Idempotent. */
  async stop(names: readonly string[] = []): Promise<readonly string[]> {
    const stopped: string[] = [];
    for (const { name, running, log } of this.#called(names).reverse()) {
      this.#started.delete(name);
      this.#tell(`Stopping ${name}…`);
      await running.stop().catch((error: unknown) => this.#tell(`${name} did not stop: ${messageOf(error)}`));
      log.end();
      stopped.push(name);
    }
    if (this.#started.size === 0) this.#close();
    return stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #called(names: readonly string[]): Started[] {
    return [...this.#started.values()].filter(({ name }) => names.length === 0 || names.includes(name));
  }

  async #start({ name, version }: Component, starters: RunOptions['starters']): Promise<void> {
    const starter = starters[name];
    if (starter === undefined) throw new RealStackError('unknown_component', `${name} is a program, not a server`);
    this.#tell(`Starting ${name} ${version}…`);
    const startMs = performance.now();
    const logFile = join(this.#folder.logs, `${name}.log`);
    const log = createWriteStream(logFile, { mode: 0o600 });
    try {
      const running = await starter({ log: (line) => log.write(`${line}\n`), folder: this.#folder.files });
      this.#started.set(name, { name, running, logFile, log });
    } catch (error) {
      log.end();
      throw error;
    }
    this.#tell(`${name} answers after ${((performance.now() - startMs) / 1000).toFixed(1)} s; log: ${logFile}`);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeControl();
    clearRunFolder(this.#folder);
    this.#free();
    this.#end();
  }
}

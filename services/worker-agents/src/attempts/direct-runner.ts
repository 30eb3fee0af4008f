import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { processStart } from '../adapters/filesystem/process-identity.ts';
import type { AttemptRunner, AttemptSpec, FinishedAttempt } from './attempt-runner.ts';
import { flooded, isFlooded } from './flooding.ts';
import { type OutputLimits, OutputTail } from './output-tail.ts';
import { callOf, type ProgramCatalogue } from './program-catalogue.ts';
import { builtGuards, WatchdogProcess } from './watchdog-process.ts';

export interface DirectRunnerOptions {
  readonly programs: ProgramCatalogue;
  /** A folder of this machine's workers; each process has a folder of its own in it. */
  readonly workspaces: string;
  readonly outputLimits?: OutputLimits;
  /** Default: the built program beside this file. */
  readonly watchdog?: string;
}

const ATTEMPT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/;

export function assertAttemptId(attemptId: string): void {
  if (!ATTEMPT_ID.test(attemptId)) throw new TypeError('attemptId: letters, digits, dot, dash and underscore only');
}

/**
 * Runs attempts under the worker's own uid. Their processes die with the worker, but nothing keeps them from reading
 * what the worker can read: where that matters the launcher is used.
 */
export class DirectRunner implements AttemptRunner {
  readonly separated = false;
  readonly #options: DirectRunnerOptions;
  readonly #folder: string;

  private constructor(options: DirectRunnerOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  /** Makes this process's folder and removes those of workers that are gone. */
  static open(options: DirectRunnerOptions): DirectRunner {
    mkdirSync(options.workspaces, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(options.workspaces)) {
      const pid = Number(/^worker-(\d+)$/.exec(name)?.[1]);
      if (pid > 0 && pid !== process.pid && processStart(pid) === undefined) {
        rmSync(join(options.workspaces, name), { recursive: true, force: true });
      }
    }
    const folder = join(options.workspaces, `worker-${process.pid}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return new DirectRunner(options, folder);
  }

  async run(spec: AttemptSpec, { signal }: { signal: AbortSignal }): Promise<FinishedAttempt> {
    signal.throwIfAborted();
    assertAttemptId(spec.attemptId);
    const call = callOf(this.#options.programs, spec);
    const folder = join(this.#folder, spec.attemptId);
    mkdirSync(folder, { mode: 0o700 });
    const { attemptId, sources, timeoutMs, input, credentials } = spec;
    const watchdog = new WatchdogProcess({
      program: this.#options.watchdog ?? builtGuards().watchdog,
      order: { attemptId, folder, sources, timeoutMs, input, credentials, ...call },
    });
    const output = new OutputTail(this.#options.outputLimits);
    const hear = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
      output.add(stream, chunk);
      if (isFlooded(output, spec)) void watchdog.end();
    };
    watchdog.stdout.on('data', hear('stdout'));
    watchdog.stderr.on('data', hear('stderr'));
    const abort = (): void => void watchdog.end();
    signal.addEventListener('abort', abort, { once: true });
    const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
    try {
      const exit = await watchdog.exit;
      await Promise.all([watchdog.end(), finished(watchdog.stdout), finished(watchdog.stderr)]);
      signal.throwIfAborted();
      if (isFlooded(output, spec)) throw flooded(spec);
      return { exit, output, workspace: join(folder, 'work'), dispose };
    } catch (error) {
      await watchdog.end();
      await dispose();
      if (signal.aborted) throw signal.reason;
      throw isFlooded(output, spec) ? flooded(spec) : error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  close(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}

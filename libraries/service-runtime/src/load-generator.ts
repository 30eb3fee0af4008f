import { type Clock, messageOf, sleep, systemClock } from '@neural-hive/security/common';
import type { LoadPace, OperationContext } from './board-entry.ts';
import type { Logger } from './logger.ts';
import { OperationLog } from './operation-log.ts';

export interface LoadGeneratorOptions extends LoadPace {
  readonly name: string;
  readonly operate: (context: OperationContext) => Promise<void>;
  readonly clock?: Clock;
  readonly logger?: Logger | undefined;
}

/** Uses one credential again and again, in a few lanes side by side, and keeps the record of each use. */
export class LoadGenerator {
  readonly log = new OperationLog();
  readonly #options: Required<Omit<LoadGeneratorOptions, 'logger'>> & { readonly logger: Logger | undefined };
  #stopping: AbortController | undefined;
  #lanes: Promise<void> = Promise.resolve();
  /** Replaced when the pace changes: lanes that pause at the old pace wake up. */
  #pace = new AbortController();
  #rotations = 0;

  constructor(options: LoadGeneratorOptions) {
    const { concurrency = 4, pauseMs = 50, busyPauseMs = 5, clock = systemClock, logger } = options;
    this.#options = { name: options.name, operate: options.operate, concurrency, pauseMs, busyPauseMs, clock, logger };
  }

  get running(): boolean {
    return this.#stopping !== undefined;
  }

  start(): void {
    if (this.#stopping !== undefined) return;
    const stopping = new AbortController();
    this.#stopping = stopping;
    const lanes = Array.from({ length: this.#options.concurrency }, () => this.#lane(stopping.signal));
    this.#lanes = Promise.all(lanes).then(() => undefined);
  }

  /** Resolves once the operations that run have ended. */
  async stop(): Promise<void> {
    this.#stopping?.abort();
    this.#stopping = undefined;
    await this.#lanes;
  }

  /** Runs the load, at its busy pace, for as long as `work` takes; the previous state comes back afterwards. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const wasRunning = this.running;
    this.start();
    this.#rotations += 1;
    this.#changePace();
    try {
      return await work();
    } finally {
      this.#rotations -= 1;
      if (!wasRunning && this.#rotations === 0) await this.stop();
    }
  }

  #changePace(): void {
    const previous = this.#pace;
    this.#pace = new AbortController();
    previous.abort();
  }

  async #lane(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#operateOnce(signal);
      const { pauseMs, busyPauseMs, clock } = this.#options;
      const delayMs = this.#rotations > 0 ? busyPauseMs : pauseMs;
      await sleep(delayMs, { clock, signal: AbortSignal.any([signal, this.#pace.signal]) }).catch(() => undefined);
    }
  }

  async #operateOnce(signal: AbortSignal): Promise<void> {
    const { name, operate, clock, logger } = this.#options;
    let retries = 0;
    let failed = false;
    const end = this.log.begin(clock.now());
    try {
      await operate({
        retried: () => {
          retries += 1;
        },
        signal,
      });
    } catch (error) {
      // What the load's own end cut short did not fail.
      failed = !(signal.aborted && error === signal.reason);
      if (failed)
        logger?.warn({ credential: name, error: messageOf(error) }, 'an operation with the credential failed');
    }
    end({ endedAtMs: clock.now(), failed, retries });
  }
}

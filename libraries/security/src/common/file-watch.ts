import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, sleep, systemClock } from './clock.ts';
import { messageOf } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';
import { SingleFlight } from './single-flight.ts';

export interface FileWatchOptions {
  readonly files: readonly string[];
  /** How often `onChange` is called even if nothing reported a change. In milliseconds. */
  readonly pollMs: number;
  /** Something may have changed. Not called again before it has resolved; must not reject. */
  readonly onChange: () => Promise<void>;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/**
 * Calls back when files may have changed. Their folders are watched, since a file is mostly replaced and not written,
 * and a projected volume swaps a link beside it; polling is for what no event tells.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #running = new SingleFlight<'change', void>();
  readonly #watchers: FSWatcher[] = [];
  readonly #stop = new AbortController();
  readonly #polling: Promise<void>;
  #changed = false;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    const { logger = silentLogger } = options;
    for (const folder of new Set(options.files.map((file) => dirname(file)))) {
      try {
        const watcher = watch(folder, { persistent: false }, () => void this.check());
        this.#watchers.push(watcher.on('error', () => watcher.close()));
      } catch (error) {
        logger.debug({ folder, cause: messageOf(error) }, 'a folder cannot be watched and is polled');
      }
    }
    this.#polling = this.#poll();
  }

  /** Calls back now. A change that comes while `onChange` runs may have been missed by it: it runs once more. */
  check(): Promise<void> {
    this.#changed = true;
    return this.#running.run('change', async () => {
      while (this.#changed && !this.#stop.signal.aborted) {
        this.#changed = false;
        await this.#options.onChange();
      }
    });
  }

  /** Resolves when nothing runs any more. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    await this.#polling;
  }

  async #poll(): Promise<void> {
    const { clock = systemClock, pollMs } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await sleep(pollMs, { clock, signal }).catch(() => undefined);
      if (!signal.aborted) await this.check();
    }
  }
}

import { type Clock, sleep } from '../../common/index.ts';
import type { DrainOptions } from '../../credentials/index.ts';

/** Lets a drain wait for something that is told by `notify`. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  notify(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves when `done` holds, at the deadline at the latest. */
  async until(done: () => boolean, { deadlineMs, signal }: DrainOptions, clock: Clock): Promise<void> {
    if (done()) return;
    const over = new AbortController();
    const waitMs = Math.max(0, deadlineMs - clock.now());
    const limit = sleep(waitMs, { clock, signal: AbortSignal.any([signal, over.signal]) });
    let wake: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => {
      wake = () => {
        if (done()) resolve();
      };
    });
    this.#waiting.add(wake);
    await Promise.race([changed, limit.catch(() => undefined)]);
    this.#waiting.delete(wake);
    over.abort();
  }
}

import type { Clock, Timer } from '../common/index.ts';
import { vaultFailure } from './failure.ts';

/**
 * The limit of a whole call: over when the caller gives up or when the time is. An AbortSignal of its own for each call
 * would be the dearest part of a read.
 */
export class Deadline {
  readonly #timer: Timer;
  readonly #caller: AbortSignal | undefined;
  #listeners: (() => void)[] = [];
  readonly #onAbort = (): void => this.#end(this.#caller?.reason);
  #over = false;
  #reason: unknown;

  constructor(clock: Clock, limitMs: number, attempted: string, caller: AbortSignal | undefined) {
    this.#caller = caller;
    this.#timer = clock.setTimer(limitMs, () => {
      const rule = `no answer within ${limitMs} ms, repetitions included`;
      this.#end(vaultFailure('deadline-exceeded', attempted, rule));
    });
    if (caller?.aborted) this.#onAbort();
    else caller?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why it is over. */
  get reason(): unknown {
    return this.#reason;
  }

  throwIfOver(): void {
    if (this.#over) throw this.#reason;
  }

  /** Calls back once, unless the returned function was called before. */
  onOver(listener: () => void): () => void {
    this.#listeners.push(listener);
    return () => {
      const at = this.#listeners.indexOf(listener);
      if (at !== -1) this.#listeners.splice(at, 1);
    };
  }

  /** Rejects as soon as it is over, whatever the work does. */
  guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.onOver(() => reject(this.#reason));
      const settle =
        <R>(done: (result: R) => void) =>
        (result: R): void => {
          stop();
          done(result);
        };
      work.then(settle(resolve), settle(reject));
    });
  }

  clear(): void {
    this.#timer.cancel();
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }

  #end(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

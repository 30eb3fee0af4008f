import type { Clock, Timer } from '../common/index.ts';
import { vaultFailure } from './failure.ts';

/** The limit of a whole call: its `signal` aborts when the caller gives up or when the time is over. */
export class Deadline {
  readonly #stop = new AbortController();
  readonly #timer: Timer;
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#stop.abort(this.#caller?.reason);

  constructor(clock: Clock, limitMs: number, attempted: string, caller: AbortSignal | undefined) {
    this.#caller = caller;
    this.#timer = clock.setTimer(limitMs, () => {
      const rule = `no answer within ${limitMs} ms, repetitions included`;
      this.#stop.abort(vaultFailure('deadline-exceeded', attempted, rule));
    });
    // Combined by hand: what `AbortSignal.any` makes stays attached to a signal that lives as long as the process.
    if (caller?.aborted) this.#onAbort();
    else caller?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  clear(): void {
    this.#timer.cancel();
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }
}

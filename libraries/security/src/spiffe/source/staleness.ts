import type { Clock, Timer } from '../../common/index.ts';

/** When the stream is opened anew again, as a share of the life that is left. */
const REPEAT_SHARE = 0.25;
/** In milliseconds; close to the end that share would be next to nothing. */
const MIN_REPEAT_MS = 5_000;

export interface StalenessOptions {
  readonly clock: Clock;
  /** Of a life, from its own beginning to its end; between 0 and 1. */
  readonly share: number;
  readonly onStale: () => void;
}

/**
 * Watches over something that is pushed and has a life. An agent replaces an SVID at about half of it: past `share` of it
 * the stream that should have brought the next one is likely dead without anybody having noticed.
 */
export class Staleness {
  readonly #options: StalenessOptions;
  #timer: Timer | undefined;
  #life: { readonly issuedAtMs: number; readonly expiresAtMs: number } | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(options: StalenessOptions) {
    this.#options = options;
  }

  /** What is held now. The same life again changes nothing. */
  hold(life: { readonly issuedAtMs: number; readonly expiresAtMs: number }): void {
    const { issuedAtMs, expiresAtMs } = life;
    if (this.#life?.issuedAtMs === issuedAtMs && this.#life.expiresAtMs === expiresAtMs) return;
    this.#life = { issuedAtMs, expiresAtMs };
    this.#dueMs = issuedAtMs + this.#options.share * (expiresAtMs - issuedAtMs);
    const leftMs = this.#dueMs - this.#options.clock.now();
    this.#arm(leftMs > 0 ? leftMs : MIN_REPEAT_MS);
  }

  get isStale(): boolean {
    return this.#options.clock.now() >= this.#dueMs;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      const leftMs = (this.#life?.expiresAtMs ?? 0) - this.#options.clock.now();
      this.#arm(Math.max(MIN_REPEAT_MS, REPEAT_SHARE * leftMs));
      this.#options.onStale();
    });
  }
}

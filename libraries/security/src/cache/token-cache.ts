import {
  BoundedMap,
  type Clock,
  type Logger,
  messageOf,
  type Random,
  SingleFlight,
  silentLogger,
  systemClock,
  type Timer,
  TimerQueue,
  withSignal,
} from '../common/index.ts';
import type { TokenCacheMetrics } from './token-cache-metrics.ts';

/**
 * `eager`: a token that is in use is replaced in the background before it ends, so that nobody waits. `lazy`: it is
 * replaced when it is asked for in the last part of its life, and whoever asks gets the old one meanwhile. `disabled`:
 * nothing is kept.
 */
export type TokenCacheStrategy = 'eager' | 'lazy' | 'disabled';

/** A token with the times that it states itself. */
export interface CachedToken<T> {
  readonly value: T;
  /** Default: now. */
  readonly issuedAtMs?: number;
  readonly expiresAtMs: number;
}

export interface TokenCacheOptions<T> {
  /** Gets a new token. Its signal is aborted when the cache is closed. */
  readonly fetch: (key: string, options: { readonly signal: AbortSignal }) => Promise<CachedToken<T>>;
  /** Default `lazy`. */
  readonly strategy?: TokenCacheStrategy;
  /** How many tokens are kept, from 1; default 256. */
  readonly maxEntries?: number;
  /** The share of a token's life after which it is replaced. Between 0 and 1, default 0.8. */
  readonly refreshShare?: number;
  readonly metrics?: TokenCacheMetrics;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/** A fleet's eager refreshes lie in the last tenth before the share, so that they do not come in step. */
const EARLIER_BY = 0.1;
/** After a failed refresh the next try comes within what is left of the token, but not before this. In milliseconds. */
const MIN_REPEAT_MS = 500;
const REPEAT_SHARE = 0.25;

class Entry<T> {
  readonly value: T;
  readonly expiresAtMs: number;
  refreshAtMs: number;
  /** Asked for since it was fetched. */
  used = false;
  timer: Timer | undefined;

  constructor(value: T, expiresAtMs: number, refreshAtMs: number) {
    this.value = value;
    this.expiresAtMs = expiresAtMs;
    this.refreshAtMs = refreshAtMs;
  }
}

/** Tokens by key, each until its own end. An expired one is never served; callers that miss together share one fetch. */
export class TokenCache<T> {
  readonly #options: TokenCacheOptions<T>;
  readonly #strategy: TokenCacheStrategy;
  readonly #refreshShare: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #entries: BoundedMap<string, Entry<T>>;
  readonly #flights = new SingleFlight<string, T>();
  readonly #timers: TimerQueue;
  readonly #stop = new AbortController();
  /** What the metrics know of the size. */
  #counted = 0;

  /** @throws RangeError that names the option */
  constructor(options: TokenCacheOptions<T>) {
    const { strategy = 'lazy', maxEntries = 256, refreshShare = 0.8, clock = systemClock } = options;
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) throw new RangeError('maxEntries: must be 1 or more');
    if (!(refreshShare > 0 && refreshShare < 1)) throw new RangeError('refreshShare: must lie between 0 and 1');
    this.#options = options;
    this.#strategy = strategy;
    this.#refreshShare = refreshShare;
    this.#clock = clock;
    this.#random = options.random ?? Math.random;
    this.#timers = new TimerQueue({ clock });
    this.#entries = new BoundedMap(maxEntries, (_key, entry) => entry.timer?.cancel());
  }

  /** Tokens that are kept; an expired one counts until it is asked for. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * A token that is valid now.
   * @throws What `fetch` throws when there is none to serve; the signal's reason, which ends the wait of this caller only
   */
  async get(key: string, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<T> {
    this.#stop.signal.throwIfAborted();
    if (this.#strategy === 'disabled') {
      this.#options.metrics?.miss();
      const { value } = await withSignal(this.#options.fetch(key, { signal: this.#stop.signal }), signal);
      return value;
    }
    const nowMs = this.#clock.now();
    const entry = this.#entries.get(key, nowMs);
    if (entry === undefined) {
      this.#options.metrics?.miss();
      return withSignal(this.#fetch(key), signal);
    }
    this.#options.metrics?.hit();
    entry.used = true;
    if (this.#strategy === 'lazy' && nowMs >= entry.refreshAtMs) void this.#refresh(key, entry);
    return entry.value;
  }

  /** Forgets a token, for instance one that was refused. The next caller fetches another. */
  delete(key: string): void {
    this.#entries.get(key)?.timer?.cancel();
    this.#entries.delete(key);
    this.#countSize();
  }

  /** Forgets everything and stops refreshing; fetches under way are aborted. Idempotent. */
  close(): void {
    this.#stop.abort(new Error('The token cache is closed'));
    this.#timers.clear();
    this.#entries.clear();
    this.#countSize();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fetch(key: string): Promise<T> {
    return this.#flights.run(key, async () => {
      const askedAtMs = this.#clock.now();
      const token = await this.#options.fetch(key, { signal: this.#stop.signal });
      this.#stop.signal.throwIfAborted();
      this.#keep(key, token, askedAtMs);
      return token.value;
    });
  }

  #keep(key: string, { value, issuedAtMs, expiresAtMs }: CachedToken<T>, askedAtMs: number): void {
    const fromMs = issuedAtMs ?? askedAtMs;
    const share = this.#refreshShare * (this.#strategy === 'eager' ? 1 - EARLIER_BY * this.#random() : 1);
    const refreshAtMs = fromMs + share * (expiresAtMs - fromMs);
    const entry = new Entry(value, expiresAtMs, Math.max(refreshAtMs, this.#clock.now() + MIN_REPEAT_MS));
    this.#entries.get(key)?.timer?.cancel();
    this.#entries.set(key, entry, expiresAtMs);
    this.#countSize();
    if (this.#strategy === 'eager') this.#arm(key, entry);
  }

  #arm(key: string, entry: Entry<T>): void {
    entry.timer = this.#timers.setTimer(entry.refreshAtMs - this.#clock.now(), () => {
      // One that nobody asked for during its whole life is left to expire.
      if (entry.used && this.#clock.now() < entry.expiresAtMs) void this.#refresh(key, entry);
    });
  }

  /** Its failure is for the metrics and the log: whoever asks is served until the token at hand expires. */
  async #refresh(key: string, entry: Entry<T>): Promise<void> {
    // Only one of those who see it due begins.
    const nowMs = this.#clock.now();
    entry.refreshAtMs = nowMs + Math.max(MIN_REPEAT_MS, REPEAT_SHARE * (entry.expiresAtMs - nowMs));
    const { metrics, logger = silentLogger } = this.#options;
    try {
      await this.#fetch(key);
      metrics?.refresh('success');
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      metrics?.refresh('failure');
      logger.warn({ cause: messageOf(error) }, 'refreshing a cached token failed');
      if (this.#strategy === 'eager' && this.#entries.get(key) === entry) this.#arm(key, entry);
    }
  }

  #countSize(): void {
    const { size } = this.#entries;
    if (size !== this.#counted) this.#options.metrics?.resize(size - this.#counted);
    this.#counted = size;
  }
}

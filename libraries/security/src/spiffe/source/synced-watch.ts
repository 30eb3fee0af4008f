import { type Clock, messageOf, SnapshotCell, type Timer } from '../../common/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { WatchControl } from '../workload-api/client.ts';
import type { WatchHandler } from '../workload-api/watch.ts';

export interface SyncedWatchOptions<T> {
  readonly what: string;
  readonly watch: (handler: WatchHandler<T>, control: WatchControl) => Promise<void>;
  readonly clock: Clock;
  readonly initialSyncTimeoutMs: number;
  readonly deniedGraceMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onUpdate?: (value: T) => void;
  readonly onError?: (error: SpiffeError) => void;
  /** What was held is no longer served, because the agent denied it. */
  readonly onWithdraw?: (error: SpiffeError) => void;
  /** Whether a message says the same as the one before: then nothing has changed. */
  readonly same?: (a: T, b: T) => boolean;
}

/** The newest message of a watch, kept until the agent denies it or the watch is closed. */
export class SyncedWatch<T> {
  readonly #options: SyncedWatchOptions<T>;
  readonly #cell = new SnapshotCell<T>();
  readonly #stop = new AbortController();
  #denied = false;
  #grace: Timer | undefined;
  #lastError: SpiffeError | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Ends the stream of this moment. */
  #stream = new AbortController();
  #ended = false;

  private constructor(options: SyncedWatchOptions<T>) {
    this.#options = options;
  }

  /** Resolves with the first good message. @throws SpiffeError `SOURCE_NOT_READY`, its cause is what the agent said */
  static async open<T>(options: SyncedWatchOptions<T>): Promise<SyncedWatch<T>> {
    const watch = new SyncedWatch(options);
    try {
      await watch.#sync();
    } catch (error) {
      await watch.close();
      throw error;
    }
    return watch;
  }

  get cell(): SnapshotCell<T> {
    return this.#cell;
  }

  get lastError(): SpiffeError | undefined {
    return this.#lastError;
  }

  /** @throws SpiffeError `SVID_WITHDRAWN` after the agent denied it, `SOURCE_CLOSED` */
  get(): T {
    this.#stop.signal.throwIfAborted();
    const value = this.#cell.get();
    if (value !== undefined && !this.#denied) return value;
    throw new SpiffeError('SVID_WITHDRAWN', `The agent no longer gives ${this.#options.what} to this process`, {
      retryable: true,
      cause: this.#lastError,
    });
  }

  /** @throws SpiffeError `SOURCE_CLOSED`; the signal's reason when it is aborted */
  waitForUpdate({ signal }: { signal?: AbortSignal } = {}): Promise<T> {
    const until = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    return this.#cell.waitForUpdate({ signal: until });
  }

  /** Gives up the stream and opens it anew; what is held stays. Does nothing after a final refusal by the agent. */
  reopen(): void {
    if (this.#ended || this.#stop.signal.aborted) return;
    this.#stream.abort();
    this.#follow();
  }

  async close(): Promise<void> {
    this.#grace?.cancel();
    this.#stop.abort(this.#closedError());
    await this.#running;
  }

  #closedError(): SpiffeError {
    return new SpiffeError('SOURCE_CLOSED', `The source of ${this.#options.what} is closed`);
  }

  async #sync(): Promise<void> {
    const { clock, initialSyncTimeoutMs, signal, what } = this.#options;
    signal?.throwIfAborted();
    const first = new AbortController();
    const timer = clock.setTimer(initialSyncTimeoutMs, () => first.abort());
    const until = signal === undefined ? first.signal : AbortSignal.any([first.signal, signal]);
    const synced = this.#cell.waitForUpdate({ signal: until });
    this.#follow(() => first.abort());
    try {
      await synced;
    } catch {
      signal?.throwIfAborted();
      const reason = this.#lastError === undefined ? 'the agent did not answer' : messageOf(this.#lastError);
      throw new SpiffeError('SOURCE_NOT_READY', `No ${what} within ${initialSyncTimeoutMs} ms: ${reason}`, {
        retryable: this.#lastError?.retryable ?? true,
        cause: this.#lastError,
      });
    } finally {
      timer.cancel();
    }
  }

  #follow(onEnd?: () => void): void {
    const stream = new AbortController();
    const before = this.#running;
    const handler: WatchHandler<T> = {
      update: (value) => {
        if (!stream.signal.aborted) this.#accept(value);
      },
      error: (error) => {
        if (!stream.signal.aborted) this.#refuse(error);
      },
    };
    this.#stream = stream;
    this.#running = this.#options
      .watch(handler, { signal: AbortSignal.any([stream.signal, this.#stop.signal]) })
      .catch((error: unknown) => {
        // Final for the agent: no later message can come.
        this.#ended = true;
        if (error instanceof SpiffeError) this.#lastError = error;
        onEnd?.();
      })
      .then(() => before);
  }

  #accept(value: T): void {
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#lastError = undefined;
    const withdrawn = this.#denied;
    this.#denied = false;
    const before = this.#cell.get();
    // A reconnect brings the same message again: nobody needs to hear of it.
    if (!withdrawn && before !== undefined && this.#options.same?.(before, value)) return;
    this.#cell.set(value);
    this.#options.onUpdate?.(value);
  }

  #refuse(error: SpiffeError): void {
    this.#lastError = error;
    this.#options.onError?.(error);
    // W-11: a denial ends the right to use what was given before.
    if (error.code !== 'WORKLOAD_API_PERMISSION_DENIED' || this.#grace !== undefined) return;
    this.#grace = this.#options.clock.setTimer(this.#options.deniedGraceMs, () => {
      this.#denied = true;
      if (this.#cell.get() !== undefined) this.#options.onWithdraw?.(error);
    });
  }
}

import { type Clock, sleep, systemClock } from '../../common/index.ts';

interface Closable {
  close(): Promise<void>;
}

/** How long closing a connection waits for calls that were told to end; after that it happens without being awaited. */
const END_LIMIT_MS = 1_000;

/**
 * The driver's calls that have not ended, by connection. A call that the driver is about to repeat throws out of a timer
 * when its connection is closed, and ends the process: so no connection is closed before its last call has ended.
 */
export class OpenCalls {
  readonly #calls = new Map<object, Set<Promise<unknown>>>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  add(connection: object, call: Promise<unknown>): void {
    const calls = this.#calls.get(connection) ?? new Set();
    this.#calls.set(connection, calls.add(call));
    const end = (): void => {
      calls.delete(call);
      if (calls.size === 0) this.#calls.delete(connection);
    };
    call.then(end, end);
  }

  /** Closes a connection whose calls were told to end. */
  async closeAfter(connection: Closable): Promise<void> {
    const closed = Promise.allSettled(this.#calls.get(connection) ?? []).then(() => connection.close());
    closed.catch(() => undefined);
    const over = new AbortController();
    const limit = sleep(END_LIMIT_MS, { clock: this.#clock, signal: over.signal }).catch(() => undefined);
    await Promise.race([closed, limit]);
    over.abort();
  }
}

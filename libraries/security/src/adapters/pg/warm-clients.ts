import type pg from 'pg';

/**
 * Connections that are open before a pool asks for them, so that nobody waits for a connection to be made when a pool
 * moves to another login.
 */
export class WarmClients {
  readonly #idle = new Map<pg.Client, () => void>();

  /**
   * Opens `count`, one after another: many handshakes at once would take the processors of client and server from the
   * work that goes on beside them. Fewer when the server does not take as many: they are only a help.
   */
  static async open(count: number, make: () => pg.Client, query: string, signal: AbortSignal): Promise<WarmClients> {
    const warm = new WarmClients();
    let opening: pg.Client | undefined;
    const onAbort = (): void => {
      opening?.connection.stream.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    for (let opened = 0; opened < count && !signal.aborted; opened += 1) {
      opening = make();
      await warm.#open(opening, query);
    }
    signal.removeEventListener('abort', onAbort);
    return warm;
  }

  /** One of them for a pool to connect, which takes no time; undefined when there is none left. */
  take(): pg.Client | undefined {
    const next = this.#idle.entries().next().value;
    if (next === undefined) return undefined;
    const [client, forget] = next;
    forget();
    // The pool connects each client that it makes.
    client.connect = ((callback?: (error: Error | undefined) => void) => {
      if (callback === undefined) return Promise.resolve();
      process.nextTick(callback, undefined);
      return undefined;
    }) as pg.Client['connect'];
    return client;
  }

  /** Closes those that nobody took, and waits for it. Idempotent. */
  async close(): Promise<void> {
    const unused = [...this.#idle];
    for (const [client, forget] of unused) {
      forget();
      client.on('error', () => undefined);
    }
    await Promise.allSettled(unused.map(([client]) => client.end()));
  }

  /** The first query of a session is slow, because it reads the catalogue: it is asked here and not by the first who borrows it. */
  async #open(client: pg.Client, query: string): Promise<void> {
    const forget = (): void => {
      this.#idle.delete(client);
      client.off('error', forget).off('end', forget);
    };
    client.on('error', forget).on('end', forget);
    try {
      await client.connect();
      await client.query(query);
      this.#idle.set(client, forget);
    } catch {
      client.on('error', () => undefined).connection.stream.destroy();
    }
  }
}

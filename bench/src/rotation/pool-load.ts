import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

export interface LoadTotals {
  readonly done: number;
  readonly failures: readonly unknown[];
  /** Of each probe: the wait for a connection, and that plus a query of 1 ms. In milliseconds. */
  readonly acquireMs: readonly number[];
  readonly queryMs: readonly number[];
}

const USERS = 20;
const PROBE_EVERY_MS = 10;

/** Twenty users with transactions of 1 to 500 ms, and beside them one probe after another. Nothing is repeated. */
export class PoolLoad {
  /** Connections that the load can use at once. */
  static readonly CONNECTIONS = USERS + 2;
  readonly #pool: pg.Pool;
  readonly #work: Promise<unknown>;
  readonly #acquireMs: number[] = [];
  readonly #queryMs: number[] = [];
  readonly #failures: unknown[] = [];
  #running = true;
  #done = 0;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
    this.#work = Promise.all([...Array.from({ length: USERS }, () => this.#user()), this.#prober()]);
  }

  async stop(): Promise<LoadTotals> {
    this.#running = false;
    await this.#work;
    return { done: this.#done, failures: this.#failures, acquireMs: this.#acquireMs, queryMs: this.#queryMs };
  }

  async #user(): Promise<void> {
    while (this.#running) {
      await this.#lend(async (client) => {
        await client.query('BEGIN');
        await client.query("INSERT INTO bench_rows VALUES ('load')");
        await client.query('SELECT pg_sleep($1)', [(1 + Math.random() * 499) / 1000]);
        await client.query('COMMIT');
      });
    }
  }

  async #prober(): Promise<void> {
    while (this.#running) {
      const startMs = performance.now();
      await this.#lend(async (client) => {
        this.#acquireMs.push(performance.now() - startMs);
        await client.query('SELECT pg_sleep(0.001)');
        this.#queryMs.push(performance.now() - startMs);
      });
      await delay(PROBE_EVERY_MS);
    }
  }

  async #lend(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    try {
      const client = await this.#pool.connect();
      let broken = true;
      try {
        await work(client);
        broken = false;
        this.#done += 1;
      } finally {
        client.release(broken);
      }
    } catch (error) {
      this.#failures.push(error);
    }
  }
}

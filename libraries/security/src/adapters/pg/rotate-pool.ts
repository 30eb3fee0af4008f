import type pg from 'pg';
import { assertPostgresSocket, type Clock, systemClock } from '../../common/index.ts';
import type { CredentialConsumer, DrainOptions, Generation, RotatingCredential } from '../../credentials/index.ts';
import { type PgLogin, withLogin } from './login.ts';
import { probeLogin } from './probe.ts';
import { drainSessions, Sessions } from './sessions.ts';

export interface RotatePoolOptions {
  /**
   * Run on a connection of its own with each new login before it is used. Read a table the service needs: a login
   * without any right passes `SELECT 1`. Default: a query that fails when the login's role is gone.
   */
  readonly probeQuery?: string;
  /** Of one probe, connection included. In milliseconds; default 5 000. */
  readonly probeTimeoutMs?: number;
  readonly clock?: Clock;
}

/** A pool that takes part in rotations. */
export interface PoolRotation {
  /** The generation that new connections use. */
  readonly generation: number;
  /** Open connections, those of old generations included, by generation. */
  sessions(): ReadonlyMap<number, number>;
  /** Resolves when every connection is closed: later than `pool.end()`, which does not wait for the sockets. */
  closed(): Promise<void>;
  /** Takes the pool out of the rotations. Its connections stay as they are. */
  detach(): void;
}

type ClientClass = new (config: pg.ClientConfig) => pg.Client;

/** What `pg-pool` does not promise but has had since 3.4; checked before use. */
interface PoolInternals {
  Client: ClientClass;
  readonly _idle: readonly { readonly client: pg.ClientBase }[];
  readonly _clients: readonly pg.ClientBase[];
  readonly _expired: WeakSet<pg.ClientBase>;
  _remove(client: pg.ClientBase, callback: () => void): void;
  _pulseQueue(): void;
}

function internalsOf(pool: pg.Pool): PoolInternals {
  const inner = pool as unknown as PoolInternals;
  const fits =
    typeof inner.Client === 'function' &&
    Array.isArray(inner._idle) &&
    Array.isArray(inner._clients) &&
    inner._expired instanceof WeakSet &&
    typeof inner._remove === 'function' &&
    typeof inner._pulseQueue === 'function';
  if (!fits) throw new TypeError('pool: must be a Pool of pg 8.11 or later');
  return inner;
}

/**
 * Makes an existing pool follow `credential`. Its connections so far are retired: idle ones now, busy ones when they
 * are released. After that every rotation moves the pool over without failing what runs.
 * @throws RangeError for a socket folder whose socket has a path over 103 bytes
 */
export function rotatePool(
  pool: pg.Pool,
  credential: RotatingCredential<PgLogin>,
  options: RotatePoolOptions = {},
): PoolRotation {
  const rotation = new RotatedPool(pool, credential, options);
  return rotation;
}

class RotatedPool implements PoolRotation, CredentialConsumer<PgLogin> {
  readonly #pool: pg.Pool;
  readonly #inner: PoolInternals;
  readonly #credential: RotatingCredential<PgLogin>;
  readonly #options: RotatePoolOptions;
  readonly #clock: Clock;
  readonly #sessions = new Sessions();
  readonly #originalClient: ClientClass;
  readonly #detach: () => void;

  constructor(pool: pg.Pool, credential: RotatingCredential<PgLogin>, options: RotatePoolOptions) {
    this.#pool = pool;
    this.#inner = internalsOf(pool);
    this.#credential = credential;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#originalClient = this.#inner.Client;
    // A client knows what host, port and connection string come to; making it connects to nothing.
    assertPostgresSocket(new this.#originalClient(pool.options));
    for (const client of this.#inner._clients) this.#sessions.add(client, 0);
    this.#inner.Client = this.#taggedClient();
    this.#detach = credential.attach(this);
    this.#retire(0);
  }

  get generation(): number {
    return this.#credential.current().generation;
  }

  sessions(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const client of this.#sessions.upTo(Number.POSITIVE_INFINITY)) {
      const generation = this.#sessions.generationOf(client) ?? 0;
      counts.set(generation, (counts.get(generation) ?? 0) + 1);
    }
    return counts;
  }

  closed(): Promise<void> {
    return this.#sessions.noneUpTo(Number.POSITIVE_INFINITY);
  }

  detach(): void {
    this.#detach();
    this.#inner.Client = this.#originalClient;
  }

  async probe(candidate: Generation<PgLogin>, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    // A pool that is ending opens nothing any more, so there is nothing to find out.
    if (this.#pool.ending) return;
    const { probeQuery, probeTimeoutMs } = this.#options;
    const config = withLogin(this.#pool.options, candidate.value);
    await probeLogin(() => new this.#originalClient(config), {
      signal,
      clock: this.#clock,
      ...(probeQuery === undefined ? {} : { query: probeQuery }),
      ...(probeTimeoutMs === undefined ? {} : { timeoutMs: probeTimeoutMs }),
    });
  }

  /** Connections read the login when they are made, so there is only the old ones' turn to end. */
  publish(next: Generation<PgLogin>): void {
    this.#retire(next.generation - 1);
  }

  drain({ generation }: Generation<PgLogin>, options: DrainOptions): Promise<{ terminated: number }> {
    this.#retire(generation);
    const { name } = this.#credential;
    return drainSessions(this.#sessions, { generation, name }, { ...options, clock: this.#clock });
  }

  /** Closes what is idle and has the pool close the rest when it is released. */
  #retire(generation: number): void {
    const old = new Set(this.#sessions.upTo(generation));
    for (const client of old) this.#inner._expired.add(client);
    const idle = this.#inner._idle.map(({ client }) => client).filter((client) => old.has(client));
    for (const client of idle) this.#inner._remove(client, () => this.#inner._pulseQueue());
  }

  /** Each connection takes user, password and generation in one read, so that a swap cannot mix them. */
  #taggedClient(): ClientClass {
    const credential = this.#credential;
    const sessions = this.#sessions;
    return class extends this.#originalClient {
      constructor(config: pg.ClientConfig) {
        const { value, generation } = credential.current();
        super(withLogin(config, value));
        sessions.add(this, generation);
      }
    };
  }
}

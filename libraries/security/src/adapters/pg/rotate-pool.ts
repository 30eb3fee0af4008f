import type pg from 'pg';
import { assertPostgresSocket, type Clock, systemClock } from '../../common/index.ts';
import type { CredentialConsumer, DrainOptions, Generation, RotatingCredential } from '../../credentials/index.ts';
import { type PgLogin, withLogin } from './login.ts';
import { probeLogin } from './probe.ts';
import { drainSessions, Sessions } from './sessions.ts';
import { WarmClients } from './warm-clients.ts';

export interface RotatePoolOptions {
  /**
   * Run on a connection of its own with each new login before it is used. Read a table the service needs: a login
   * without any right passes `SELECT 1`. Default: a query that fails when the login's role is gone.
   */
  readonly probeQuery?: string;
  /** Of one probe, connection included. In milliseconds; default 5 000. */
  readonly probeTimeoutMs?: number;
  /**
   * How many connections are opened with a new login before it is used, so that work does not wait for them; those
   * that are not taken are closed again after the drain. Beside the old ones, so the server has to have room. From 0;
   * default: as many as are idle then, at least 1. As many as the pool has hides a rotation from everybody.
   */
  readonly warmConnections?: number;
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
  #warm: { readonly generation: number; readonly clients: WarmClients } | undefined;

  constructor(pool: pg.Pool, credential: RotatingCredential<PgLogin>, options: RotatePoolOptions) {
    this.#pool = pool;
    this.#inner = internalsOf(pool);
    this.#credential = credential;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { warmConnections = 0 } = options;
    if (!Number.isInteger(warmConnections) || warmConnections < 0) {
      throw new RangeError('warmConnections: must be a whole number of 0 or more');
    }
    this.#originalClient = this.#inner.Client;
    // A client knows what host, port and connection string come to; making it connects to nothing.
    assertPostgresSocket(new this.#originalClient(pool.options));
    for (const client of this.#inner._clients) this.#sessions.add(client, 0);
    // Each connection takes user, password and generation in one read, so that a swap cannot mix them.
    this.#inner.Client = new Proxy(this.#originalClient, {
      construct: (_class, [config]: [pg.ClientConfig]) => this.#takeWarm() ?? this.#make(config, credential.current()),
    });
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

  async closed(): Promise<void> {
    await this.#coolDown();
    await this.#sessions.noneUpTo(Number.POSITIVE_INFINITY);
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
    const { warmConnections = Math.max(1, this.#pool.idleCount) } = this.#options;
    const make = (): pg.Client => this.#make(this.#pool.options, candidate);
    const clients = await WarmClients.open(warmConnections, make, probeQuery ?? 'SELECT 1', signal);
    this.#warm = { generation: candidate.generation, clients };
    if (this.#pool.ending) await this.#coolDown();
  }

  discard(): Promise<void> {
    return this.#coolDown();
  }

  /** Connections read the login when they are made, so there is only the old ones' turn to end. */
  publish(next: Generation<PgLogin>): void {
    this.#retire(next.generation - 1);
  }

  async drain({ generation }: Generation<PgLogin>, options: DrainOptions): Promise<{ terminated: number }> {
    this.#retire(generation);
    const { name } = this.#credential;
    const drained = await drainSessions(this.#sessions, { generation, name }, { ...options, clock: this.#clock });
    await this.#coolDown();
    return drained;
  }

  /** Closes what is idle and has the pool close the rest when it is released. */
  #retire(generation: number): void {
    const old = new Set(this.#sessions.upTo(generation));
    for (const client of old) this.#inner._expired.add(client);
    const idle = this.#inner._idle.map(({ client }) => client).filter((client) => old.has(client));
    for (const client of idle) this.#inner._remove(client, () => this.#inner._pulseQueue());
  }

  #make(config: pg.ClientConfig, { value, generation }: Generation<PgLogin>): pg.Client {
    const client = new this.#originalClient(withLogin(config, value));
    this.#sessions.add(client, generation);
    return client;
  }

  #takeWarm(): pg.Client | undefined {
    if (this.#warm?.generation !== this.#credential.current().generation) return undefined;
    return this.#warm.clients.take();
  }

  async #coolDown(): Promise<void> {
    const warm = this.#warm;
    this.#warm = undefined;
    await warm?.clients.close();
  }
}

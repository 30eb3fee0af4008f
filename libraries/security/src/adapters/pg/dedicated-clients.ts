import pg from 'pg';
import { assertPostgresSocket, type Clock, systemClock } from '../../common/index.ts';
import type { CredentialConsumer, DrainOptions, Generation, RotatingCredential } from '../../credentials/index.ts';
import { type PgLogin, withLogin } from './login.ts';
import { probeLogin } from './probe.ts';
import { drainSessions, Sessions } from './sessions.ts';

/** A session has to go, since its login will. */
export interface PgRotate {
  /** The generation that `connect` uses from now on. */
  readonly generation: number;
  /** Epoch milliseconds. The session is ended then, if it has not been. */
  readonly deadlineMs: number;
}

export interface DedicatedClientsOptions {
  /** Run on a connection of its own with each new login before it is used. Default: as for a pool. */
  readonly probeQuery?: string;
  /** Of one probe, connection included. In milliseconds; default 5 000. */
  readonly probeTimeoutMs?: number;
  readonly clock?: Clock;
}

/**
 * A session that means something by itself: it listens, holds an advisory lock, reads a cursor, copies. Nobody can move
 * that to another session but its user, who is told with `rotate` and has until the deadline to finish and `end` it.
 */
export class DedicatedClient extends pg.Client {
  readonly generation: number;
  #rotate: PgRotate | undefined;

  /** Use `DedicatedClients.connect`. */
  constructor(config: pg.ClientConfig, generation: number) {
    super(config);
    this.generation = generation;
    // Its queries fail by themselves; unheard, the event would end the process.
    this.on('error', () => undefined);
  }

  /** Calls back once, at once when the session has to go already. */
  onRotate(listener: (event: PgRotate) => void): this {
    if (this.#rotate !== undefined) listener(this.#rotate);
    else super.addListener('rotate', listener);
    return this;
  }

  /** Tells the user; for `DedicatedClients`. */
  announce(event: PgRotate): void {
    if (this.#rotate !== undefined) return;
    this.#rotate = event;
    this.emit('rotate', event);
    this.removeAllListeners('rotate');
  }
}

/** Opens dedicated sessions with the login of a rotating credential, and has their users leave those of an old one. */
export class DedicatedClients implements CredentialConsumer<PgLogin> {
  readonly #credential: RotatingCredential<PgLogin>;
  readonly #config: pg.ClientConfig;
  readonly #options: DedicatedClientsOptions;
  readonly #clock: Clock;
  readonly #sessions = new Sessions();
  readonly #detach: () => void;
  #closed = false;

  /** @throws RangeError for a socket folder whose socket has a path over 103 bytes */
  constructor(credential: RotatingCredential<PgLogin>, config: pg.ClientConfig, options: DedicatedClientsOptions = {}) {
    assertPostgresSocket(new pg.Client(config));
    this.#credential = credential;
    this.#config = config;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#detach = credential.attach(this);
  }

  /** A session of the newest login. End it with `end`. */
  async connect(): Promise<DedicatedClient> {
    for (;;) {
      if (this.#closed) throw new Error('The dedicated clients were closed');
      const { value, generation } = this.#credential.current();
      const client = new DedicatedClient(withLogin(this.#config, value), generation);
      this.#sessions.add(client, generation);
      try {
        await client.connect();
      } catch (error) {
        client.connection.stream.destroy();
        throw error;
      }
      // A rotation came in between: whoever asked shall not begin on a session that has to go.
      if (this.#credential.current().generation === generation) return client;
      await client.end();
    }
  }

  /** Open sessions, those that have to go included. */
  get size(): number {
    return this.#sessions.upTo(Number.POSITIVE_INFINITY).length;
  }

  async probe(candidate: Generation<PgLogin>, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { probeQuery, probeTimeoutMs } = this.#options;
    await probeLogin(() => new pg.Client(withLogin(this.#config, candidate.value)), {
      signal,
      clock: this.#clock,
      ...(probeQuery === undefined ? {} : { query: probeQuery }),
      ...(probeTimeoutMs === undefined ? {} : { timeoutMs: probeTimeoutMs }),
    });
  }

  /** Sessions read the login when they are made. */
  publish(): void {}

  drain({ generation }: Generation<PgLogin>, options: DrainOptions): Promise<{ terminated: number }> {
    const { deadlineMs } = options;
    for (const client of this.#sessions.upTo(generation)) {
      if (client instanceof DedicatedClient) client.announce({ generation: generation + 1, deadlineMs });
    }
    const { name } = this.#credential;
    return drainSessions(this.#sessions, { generation, name }, { ...options, clock: this.#clock });
  }

  /** Ends every session politely and takes no part in rotations any more. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#detach();
    const clients = this.#sessions.upTo(Number.POSITIVE_INFINITY) as pg.Client[];
    await Promise.all(clients.map((client) => client.end()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Dedicated sessions whose logins come from `credential`; `config` has everything but user and password. */
export function dedicatedClients(
  credential: RotatingCredential<PgLogin>,
  config: pg.ClientConfig,
  options?: DedicatedClientsOptions,
): DedicatedClients {
  return new DedicatedClients(credential, config, options);
}

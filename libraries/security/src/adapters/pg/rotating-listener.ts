import pg from 'pg';
import { assertPostgresSocket, type Clock, messageOf, type Random, sleep, systemClock } from '../../common/index.ts';
import type { CredentialConsumer, DrainOptions, Generation, RotatingCredential } from '../../credentials/index.ts';
import { type Logger, repeatDelayMs, silentLogger } from '../../vault/index.ts';
import { type PgLogin, withLogin } from './login.ts';

export interface PgNotification {
  readonly channel: string;
  readonly payload: string;
}

export interface RotatingListenerOptions {
  /** The session had broken and listens again: what was announced in between is lost, so look for work now. */
  readonly onReconnect?: () => void;
  /** Of one connection attempt. In milliseconds; default 5 000. */
  readonly connectTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

interface Session {
  readonly client: pg.Client;
  readonly generation: number;
  retired: boolean;
}

/**
 * A LISTEN session that follows a rotating credential. The new session listens before the old one is closed, so no
 * notification is lost in a rotation; one sent in the overlap may arrive twice.
 */
export class RotatingListener implements CredentialConsumer<PgLogin> {
  readonly #credential: RotatingCredential<PgLogin>;
  readonly #config: pg.ClientConfig;
  readonly #channels: readonly string[];
  readonly #onNotification: (notification: PgNotification) => void;
  readonly #options: RotatingListenerOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #retiring = new Set<Session>();
  #current: Session | undefined;
  #detach: () => void = () => undefined;

  private constructor(
    credential: RotatingCredential<PgLogin>,
    config: pg.ClientConfig,
    channels: readonly string[],
    onNotification: (notification: PgNotification) => void,
    options: RotatingListenerOptions,
  ) {
    this.#credential = credential;
    this.#config = { connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000, ...config };
    this.#channels = channels;
    this.#onNotification = onNotification;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  static async open(
    credential: RotatingCredential<PgLogin>,
    config: pg.ClientConfig,
    channels: readonly string[],
    onNotification: (notification: PgNotification) => void,
    options: RotatingListenerOptions = {},
  ): Promise<RotatingListener> {
    assertPostgresSocket(new pg.Client(config));
    const listener = new RotatingListener(credential, config, channels, onNotification, options);
    listener.#current = await listener.#connect(credential.current());
    listener.#detach = credential.attach(listener);
    return listener;
  }

  /** The generation of the session that listens; 0 while it is broken. */
  get generation(): number {
    return this.#current?.generation ?? 0;
  }

  async publish(next: Generation<PgLogin>): Promise<void> {
    if (this.#current?.generation === next.generation) return;
    const back = [...this.#retiring].find(({ generation }) => generation === next.generation);
    const session = back ?? (await this.#connect(next));
    if (back !== undefined) this.#retiring.delete(back);
    session.retired = false;
    const previous = this.#current;
    this.#current = session;
    if (previous === undefined) return;
    previous.retired = true;
    this.#retiring.add(previous);
    // Refused by another consumer: this newer session has no credential to stand on.
    if (previous.generation > session.generation) await this.#end(previous);
  }

  async drain(
    { generation }: Generation<PgLogin>,
    { deadlineMs, signal }: DrainOptions,
  ): Promise<{ terminated: number }> {
    const old = [...this.#retiring].filter((session) => session.generation <= generation);
    const waitMs = Math.max(0, deadlineMs - this.#clock.now());
    const over = new AbortController();
    const limit = sleep(waitMs, { clock: this.#clock, signal: AbortSignal.any([signal, over.signal]) });
    const ended = Promise.all(old.map((session) => this.#end(session)));
    await Promise.race([ended, limit.catch(() => undefined)]);
    over.abort();
    const stuck = old.filter((session) => this.#retiring.has(session));
    for (const session of stuck) this.#destroy(session);
    return { terminated: stuck.length };
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(new Error('the listener was closed'));
    this.#detach();
    const sessions = [...this.#retiring, ...(this.#current === undefined ? [] : [this.#current])];
    this.#current = undefined;
    for (const session of sessions) {
      session.retired = true;
      this.#retiring.add(session);
    }
    await Promise.all(sessions.map((session) => this.#end(session)));
  }

  async destroy(): Promise<void> {
    this.#stop.abort(new Error('the listener was closed'));
    this.#detach();
    for (const session of [...this.#retiring, ...(this.#current === undefined ? [] : [this.#current])]) {
      this.#destroy(session);
    }
    this.#current = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #connect({ value, generation }: Generation<PgLogin>): Promise<Session> {
    const client = new pg.Client(withLogin(this.#config, value));
    const session: Session = { client, generation, retired: false };
    client.on('error', () => undefined);
    client.on('notification', ({ channel, payload }) => this.#onNotification({ channel, payload: payload ?? '' }));
    try {
      await client.connect();
      for (const channel of this.#channels) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      this.#stop.signal.throwIfAborted();
    } catch (error) {
      client.connection.stream.destroy();
      throw error;
    }
    client.once('end', () => this.#onEnd(session));
    return session;
  }

  #onEnd(session: Session): void {
    this.#retiring.delete(session);
    if (session.retired || this.#current !== session || this.#stop.signal.aborted) return;
    this.#current = undefined;
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { logger = silentLogger, random = Math.random, onReconnect } = this.#options;
    const { signal } = this.#stop;
    for (let attempt = 0; this.#current === undefined && !signal.aborted; attempt += 1) {
      try {
        const session = await this.#connect(this.#credential.current());
        // A rotation was faster.
        if (this.#current !== undefined) return this.#destroy(session);
        this.#current = session;
        onReconnect?.();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ credential: this.#credential.name, cause: messageOf(error) }, 'listening again failed');
        const delayMs = repeatDelayMs(attempt, { remainingMs: 0, capMs: 5_000, baseMs: 200, random });
        await sleep(delayMs, { clock: this.#clock, signal }).catch(() => undefined);
      }
    }
  }

  /** One round trip first: what the server had sent before it is delivered. */
  async #end(session: Session): Promise<void> {
    try {
      await session.client.query('UNLISTEN *');
      await session.client.end();
    } catch {
      this.#destroy(session);
    }
    this.#retiring.delete(session);
  }

  #destroy(session: Session): void {
    session.retired = true;
    this.#retiring.delete(session);
    session.client.connection.stream.destroy();
  }
}

/** Listens on `channels`; resolves when the server has confirmed every one. */
export function rotatingListener(
  credential: RotatingCredential<PgLogin>,
  config: pg.ClientConfig,
  channels: readonly string[],
  onNotification: (notification: PgNotification) => void,
  options?: RotatingListenerOptions,
): Promise<RotatingListener> {
  return RotatingListener.open(credential, config, channels, onNotification, options);
}

import pg from 'pg';
import type { RotatingCredential, RotationOutcome } from '../../credentials/index.ts';
import type { PgLogin } from './login.ts';
import { type PoolRotation, type RotatePoolOptions, rotatePool } from './rotate-pool.ts';

/** A `pg.Pool` that follows a rotating credential. Emits `rotate` with each outcome. */
export class RotatingPool extends pg.Pool {
  readonly #rotation: PoolRotation;
  readonly #stopListening: () => void;

  constructor(credential: RotatingCredential<PgLogin>, config: pg.PoolConfig, options: RotatePoolOptions = {}) {
    super(config);
    this.#rotation = rotatePool(this, credential, options);
    this.#stopListening = credential.onRotation((outcome) => this.emit('rotate', outcome));
    // The pool drops an idle connection that broke and opens another; unheard, the event would end the process.
    this.on('error', () => undefined);
  }

  /** The generation that new connections use. */
  get generation(): number {
    return this.#rotation.generation;
  }

  /** Open connections by generation. */
  sessions(): ReadonlyMap<number, number> {
    return this.#rotation.sessions();
  }

  /** Lends a connection to `work`. When it throws, the connection is closed: it may be inside a transaction. */
  async withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    this.#stopListening();
    const ended = super
      .end()
      .then(() => this.#rotation.closed())
      .finally(() => this.#rotation.detach());
    if (callback === undefined) return ended;
    ended.then(callback, callback);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.ending ? Promise.resolve() : this.end();
  }

  onRotate(listener: (outcome: RotationOutcome) => void): this {
    return super.addListener('rotate', listener);
  }
}

/** Opens a pool whose logins come from `credential`; `config` has everything but user and password. */
export function rotatingPool(
  credential: RotatingCredential<PgLogin>,
  config: pg.PoolConfig,
  options?: RotatePoolOptions,
): RotatingPool {
  return new RotatingPool(credential, config, options);
}

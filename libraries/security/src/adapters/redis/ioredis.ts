import type { Redis, RedisOptions } from 'ioredis';
import { type Clock, type Logger, messageOf, silentLogger, systemClock } from '../../common/index.ts';
import type { CredentialConsumer, DrainOptions, Generation, RotatingCredential } from '../../credentials/index.ts';
import { Changes } from './changes.ts';
import type { RedisLogin } from './login.ts';
import type { RedisRotationOptions } from './node-redis.ts';

/** A client, with its duplicates, that takes part in rotations. */
export interface IoredisRotation {
  /** The generation that new connections use. */
  readonly generation: number;
  /** Clients, duplicates included, by the generation their connection is logged in with. */
  sessions(): ReadonlyMap<number, number>;
  /** Takes the clients out of the rotations. Their connections stay as they are. */
  detach(): void;
}

/** One client; it has one connection at a time. */
interface Followed {
  readonly redis: Redis;
  /** Its own one, which nobody follows. */
  readonly duplicate: Redis['duplicate'];
  readonly stop: () => void;
  /** The generation its connection is logged in with; of the next connection when there is none. */
  generation: number;
  moving: boolean;
}

/** A connection that exists or is being made; the next one reads the new login by itself. */
const CONNECTED: ReadonlySet<string> = new Set(['connecting', 'connect', 'ready', 'monitoring']);

class RotatedIoredis implements IoredisRotation, CredentialConsumer<RedisLogin> {
  readonly #credential: RotatingCredential<RedisLogin>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #followed = new Set<Followed>();
  readonly #changes = new Changes();
  readonly #detach: () => void;
  #published: number;

  constructor(redis: Redis, credential: RotatingCredential<RedisLogin>, options: RedisRotationOptions) {
    // The default is null.
    if (redis.status !== 'wait' && (redis.options.password ?? '') === '') {
      throw new TypeError('redis: make it with lazyConnect: true, or it connects before it has a login');
    }
    this.#credential = credential;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    const current = credential.current();
    this.#published = current.generation;
    this.#move(this.#follow(redis, 0), current);
    this.#detach = credential.attach(this);
  }

  get generation(): number {
    return this.#credential.current().generation;
  }

  sessions(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const { generation } of this.#followed) counts.set(generation, (counts.get(generation) ?? 0) + 1);
    return counts;
  }

  detach(): void {
    this.#detach();
    for (const followed of [...this.#followed]) this.#forget(followed);
  }

  async probe({ value }: Generation<RedisLogin>, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const [some] = this.#followed;
    if (some !== undefined) await probeIoredis(some.redis, some.duplicate, value, signal);
  }

  publish(next: Generation<RedisLogin>): void {
    this.#published = next.generation;
    for (const followed of this.#followed) this.#move(followed, next);
  }

  async drain(previous: Generation<RedisLogin>, options: DrainOptions): Promise<{ terminated: number }> {
    // Nothing newer was published: the credential is being closed, so the clients are to be closed before it.
    const closing = previous.generation >= this.#published;
    const old = (): Followed[] => [...this.#followed].filter(({ generation }) => generation <= previous.generation);
    const done = (): boolean => (closing ? old().length === 0 : !old().some(({ moving }) => moving));
    await this.#changes.until(done, options, this.#clock);
    const left = old();
    for (const followed of left) {
      followed.moving = false;
      if (closing) this.#forget(followed);
      else followed.generation = this.#published;
      // Connects again, with the new login.
      followed.redis.disconnect(!closing);
    }
    if (left.length > 0) {
      const fields = { credential: this.#credential.name, connections: left.length };
      this.#logger.warn(fields, 'connections still had the old login at the deadline and were ended');
    }
    return { terminated: left.length };
  }

  #follow(redis: Redis, generation: number): Followed {
    const { duplicate } = redis;
    redis.duplicate = (override?: Partial<RedisOptions>): Redis => {
      const copy = duplicate.call(redis, override);
      const ownLogin = override?.username !== undefined || override?.password !== undefined;
      // It has read the login of `redis` in its constructor, in this turn.
      if (!ownLogin) this.#follow(copy, this.#published);
      return copy;
    };
    const onEnd = (): void => this.#forget(followed);
    redis.once('end', onEnd);
    const stop = (): void => {
      redis.off('end', onEnd);
      redis.duplicate = duplicate;
    };
    const followed: Followed = { redis, duplicate, stop, generation, moving: false };
    this.#followed.add(followed);
    return followed;
  }

  /** New connections of the client read its options; the one it has is logged in again as it is. */
  #move(followed: Followed, { value, generation }: Generation<RedisLogin>): void {
    const { redis } = followed;
    redis.options.username = value.username;
    redis.options.password = value.password.reveal();
    if (!CONNECTED.has(redis.status)) {
      followed.generation = generation;
      return;
    }
    followed.moving = true;
    const settle = (moved: boolean): void => {
      redis.off('ready', onReady);
      redis.off('close', onClose);
      // A later generation was published before this one was answered.
      if (this.#published !== generation) return;
      if (moved) followed.generation = generation;
      followed.moving = false;
      this.#changes.notify();
    };
    const onClose = (): void => settle(true);
    const onReady = (): void => {
      redis.auth(value.username, value.password.reveal()).then(
        // QUEUED: it became a part of a transaction that is being sent command by command.
        (reply) => settle(reply === 'OK'),
        (error: unknown) => {
          const fields = { credential: this.#credential.name, cause: messageOf(error) };
          this.#logger.warn(fields, 'AUTH on a connection failed');
          settle(false);
        },
      );
    };
    redis.once('close', onClose);
    if (redis.status === 'ready') onReady();
    else redis.once('ready', onReady);
  }

  #forget(followed: Followed): void {
    followed.stop();
    this.#followed.delete(followed);
    this.#changes.notify();
  }
}

/** Logs in on a connection of its own, made once; rejects with what went wrong first. */
async function probeIoredis(
  redis: Redis,
  duplicate: Redis['duplicate'],
  { username, password }: RedisLogin,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const once: Partial<RedisOptions> = { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 };
  const client = duplicate.call(redis, { ...once, username, password: password.reveal() });
  let cause: unknown;
  client.on('error', (error) => {
    cause ??= error;
  });
  const onAbort = (): void => client.disconnect();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
  } catch (error) {
    throw cause ?? error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    client.disconnect();
  }
}

/**
 * Makes an ioredis client and its duplicates follow `credential`. Make it with `lazyConnect: true` and without a login.
 * Each rotation tries the new login on a connection of its own, logs every connection in again as it is (AUTH on the live connection) and waits until the server has
 * confirmed it. A connection that does not come to it before the deadline, as in a long blocking command, is ended and
 * connects again; so is, at once, one with subscriptions when its `protocol` is 2, where Redis takes no AUTH.
 * @throws TypeError when the client is connecting without a login
 */
export function rotateIoredis(
  redis: Redis,
  credential: RotatingCredential<RedisLogin>,
  options: RedisRotationOptions = {},
): IoredisRotation {
  return new RotatedIoredis(redis, credential, options);
}

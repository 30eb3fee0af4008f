import { Redis } from 'ioredis';
import { createClient, createClientPool, type RedisClientOptions } from 'redis';
import { nodeRedisCredentials, type RedisLogin, rotateIoredis } from '../adapters/redis/index.ts';
import type { RotatingCredential } from '../credentials/index.ts';

/** A real Redis over TLS, and who may do everything there. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
  readonly admin: RedisLogin;
}

/** The commands of the load, whichever driver sends them. */
export interface RedisCommands {
  set(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<string | null>;
  /** `INCR key` and `LPUSH list key` in one MULTI; the count. */
  transaction(key: string, list: string): Promise<number>;
  publish(channel: string, message: string): Promise<unknown>;
}

/** The clients of one driver that follow a credential. */
export interface RedisClients {
  readonly commands: RedisCommands;
  /** BLPOP on a connection of its own; undefined when nothing came in time. */
  readonly pop: ((list: string, seconds: number) => Promise<string | undefined>)[];
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  /** How often a connection was lost and made again. */
  reconnects(): number;
  sessions(): ReadonlyMap<number, number>;
  close(): Promise<void>;
}

export interface RedisDriver {
  readonly name: string;
  open(target: RedisTarget, credential: RotatingCredential<RedisLogin>, poppers: number): Promise<RedisClients>;
}

export function nodeRedisOptions({ host, port, caPem }: RedisTarget) {
  return { socket: { host, port, tls: true, ca: caPem } } satisfies RedisClientOptions;
}

const nodeRedis = (name: string, pooled: boolean): RedisDriver => ({
  name,
  async open(target, credential, poppers) {
    const follower = nodeRedisCredentials(credential);
    const options = { ...nodeRedisOptions(target), credentialsProvider: follower };
    let reconnects = 0;
    const client = createClient(options);
    const pool = createClientPool(options, { minimum: 1, maximum: poppers + 2 });
    const subscriber = client.duplicate();
    const blocked = Array.from({ length: pooled ? 0 : poppers }, () => client.duplicate());
    const clients = [client, subscriber, ...blocked];
    for (const each of clients) each.on('error', () => undefined).on('reconnecting', () => (reconnects += 1));
    // A pool has no event for the reconnects of its clients; each is preceded by an error.
    pool.on('error', () => (reconnects += 1));
    await Promise.all(clients.map((each) => each.connect()));
    if (pooled) await pool.connect();
    const pops = pooled ? Array.from({ length: poppers }, () => pool) : blocked;
    const main = pooled ? pool : client;
    return {
      commands: {
        set: (key, value) => main.set(key, value),
        get: (key) => main.get(key),
        transaction: async (key, list) => Number((await main.multi().incr(key).lPush(list, key).exec())[0]),
        publish: (channel, message) => main.publish(channel, message),
      },
      pop: pops.map((each) => async (list, seconds) => (await each.blPop(list, seconds))?.element),
      subscribe: (channel, listener) => subscriber.subscribe(channel, (message) => listener(message)),
      reconnects: () => reconnects,
      sessions: () => follower.sessions(),
      async close() {
        // A client that is just connecting again would not close before it has.
        const end = (each: { close(): Promise<void>; destroy(): void }) =>
          reconnects > 0 ? each.destroy() : each.close();
        await Promise.all(clients.map(end));
        if (pooled) await end(pool);
        follower.detach();
      },
    };
  },
});

export const nodeRedisDriver = nodeRedis('node-redis', false);
export const nodeRedisPoolDriver = nodeRedis('a pool of node-redis', true);

export const ioredisDriver: RedisDriver = {
  name: 'ioredis',
  async open({ host, port, caPem }, credential, poppers) {
    // By default ioredis repeats what a lost connection had in flight and subscribes again; here a loss has to show.
    const strict = { maxRetriesPerRequest: 0, autoResubscribe: false };
    const client = new Redis({ host, port, tls: { ca: caPem }, lazyConnect: true, ...strict });
    const rotation = rotateIoredis(client, credential);
    let reconnects = 0;
    const subscriber = client.duplicate();
    const blocked = Array.from({ length: poppers }, () => client.duplicate());
    const clients = [client, subscriber, ...blocked];
    for (const each of clients) each.on('error', () => undefined).on('reconnecting', () => (reconnects += 1));
    await Promise.all(clients.map((each) => each.connect()));
    return {
      commands: {
        set: (key, value) => client.set(key, value),
        get: (key) => client.get(key),
        async transaction(key, list) {
          const results = (await client.multi().incr(key).lpush(list, key).exec()) ?? [];
          const [error, count] = results[0] ?? [new Error('the transaction was discarded')];
          if (error !== null || results.length !== 2) throw error ?? new Error('the transaction has a wrong length');
          return Number(count);
        },
        publish: (channel, message) => client.publish(channel, message),
      },
      pop: blocked.map((each) => async (list, seconds) => (await each.blpop(list, seconds))?.[1]),
      async subscribe(channel, listener) {
        subscriber.on('message', (_channel: string, message: string) => listener(message));
        await subscriber.subscribe(channel);
      },
      reconnects: () => reconnects,
      sessions: () => rotation.sessions(),
      async close() {
        await Promise.all(clients.map((each) => (reconnects > 0 ? each.disconnect() : each.quit())));
        rotation.detach();
      },
    };
  },
};

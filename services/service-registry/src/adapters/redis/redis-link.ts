import { fullJitterMs, type Logger, messageOf } from '@neural-hive/security/common';
import type { RotatingCredential } from '@neural-hive/security/credentials';
import { type NodeRedisCredentials, nodeRedisCredentials, type RedisLogin } from '@neural-hive/security/redis';
import { createClient } from '@redis/client';
import type { LogEntry } from './replica-view.ts';
import { KEYS, SCRIPT_KEYS, type Script, watchChannel } from './write-script.ts';

/** Where the server is. There is no connection without TLS. */
export interface RedisPlace {
  readonly host: string;
  readonly port: number;
  /** The server's CA, PEM. Default: the system's. */
  readonly ca?: string | undefined;
}

/** How long the server may be silent, with an answer due, before its connection counts as lost. */
const SILENCE_LIMIT_MS = 5_000;
/** The longest wait for an entry, and the time between two signs of life where nothing else is said. */
const QUIET_MS = 1_000;
const ENTRIES_PER_READ = 1_000;

function clientFor({ host, port, ca }: RedisPlace, follower: NodeRedisCredentials) {
  return createClient({
    socket: {
      host,
      port,
      tls: true,
      ...(ca !== undefined && { ca }),
      connectTimeout: SILENCE_LIMIT_MS,
      socketTimeout: SILENCE_LIMIT_MS,
      reconnectStrategy: (retries) => 20 + fullJitterMs(retries, { baseMs: 50, capMs: 1_000 }),
    },
    credentialsProvider: follower,
    pingInterval: QUIET_MS,
    // What cannot be said now is refused by `RedisStore`; what has been said is answered or lost with its connection.
    commandOptions: { timeout: 0 },
    // Both would need rights that nothing else needs.
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
}

type Client = ReturnType<typeof clientFor>;

/** Tries a login on a connection of its own: it has to be able to read the registry's state. */
export async function probeRedis(place: RedisPlace, { username, password }: RedisLogin): Promise<void> {
  const { host, port, ca } = place;
  const client = createClient({
    socket: { host, port, tls: true, ...(ca !== undefined && { ca }), reconnectStrategy: false },
    username,
    password: password.reveal(),
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
  // `connect` rejects with it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.hGet(KEYS.state, 'seq');
  } finally {
    client.destroy();
  }
}

/**
 * The connections to Redis, which follow the login: one for calls and subscriptions, one that waits for what others
 * write. Both come back by themselves.
 */
export class RedisLink {
  readonly #follower: NodeRedisCredentials;
  readonly #calls: Client;
  readonly #feed: Client;

  private constructor(follower: NodeRedisCredentials, calls: Client, feed: Client) {
    this.#follower = follower;
    this.#calls = calls;
    this.#feed = feed;
  }

  static async open(
    place: RedisPlace,
    login: RotatingCredential<RedisLogin>,
    { log }: { readonly log: Logger },
  ): Promise<RedisLink> {
    const follower = nodeRedisCredentials(login, { logger: log });
    const calls = clientFor(place, follower);
    // It says something each second as it is; a ping would wait behind its blocking command.
    const feed = calls.duplicate({ pingInterval: 0 });
    for (const client of [calls, feed]) {
      client.on('error', (error: unknown) => log.warn({ cause: messageOf(error) }, 'a Redis connection failed'));
    }
    const link = new RedisLink(follower, calls, feed);
    try {
      await Promise.all([calls.connect(), feed.connect()]);
    } catch (error) {
      link.destroy();
      throw error;
    }
    return link;
  }

  /** Tells that a connection was lost and is back, perhaps at a server that knows less. */
  onReturn(listener: () => void): void {
    for (const client of [this.#calls, this.#feed]) client.on('ready', listener);
  }

  /** Whether calls can be made now. */
  get isReady(): boolean {
    return this.#calls.isReady;
  }

  /** The text of the answer's parts, lists within lists. */
  async run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    const options = { keys: [...SCRIPT_KEYS], arguments: args.map(String) };
    try {
      return await this.#calls.evalSha(script.sha1, options).catch((error: unknown) => {
        if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
        return this.#calls.eval(script.text, options);
      });
    } catch (error) {
      if (messageOf(error).includes('READONLY')) this.#connectAnew();
      throw error;
    }
  }

  /** The entries after `seq` that are there now. */
  read(seq: number): Promise<readonly LogEntry[]> {
    return readLog(this.#calls, seq, { COUNT: ENTRIES_PER_READ });
  }

  /** The same, and when there are none waits a while for one to come. */
  follow(seq: number): Promise<readonly LogEntry[]> {
    return readLog(this.#feed, seq, { COUNT: ENTRIES_PER_READ, BLOCK: QUIET_MS });
  }

  async subscribe(name: string): Promise<void> {
    await this.#calls.subscribe(watchChannel(name), ignore);
  }

  async unsubscribe(name: string): Promise<void> {
    await this.#calls.unsubscribe(watchChannel(name), ignore);
  }

  /** How many connections, of all replicas, are subscribed to one of the names. */
  async subscribers(names: readonly string[]): Promise<number> {
    const counts = await this.#calls.pubSubNumSub(names.map(watchChannel));
    return Object.values(counts).reduce((sum, count) => sum + Number(count), 0);
  }

  /** After a failover the name leads to another server, and the open connections still to one that only follows it. */
  #connectAnew(): void {
    for (const client of [this.#calls, this.#feed]) client.sendCommand(['QUIT']).catch(() => undefined);
  }

  /** Ends the connections at once. Idempotent. */
  destroy(): void {
    for (const client of [this.#calls, this.#feed]) if (client.isOpen) client.destroy();
    this.#follower.detach();
  }
}

/** Nobody sends anything: that somebody is subscribed is all there is to a channel. */
function ignore(): void {}

/** What the driver makes of an answer of XREAD. */
type ReadReply = readonly {
  readonly messages: readonly {
    readonly id: string;
    readonly message: { readonly seen?: string; readonly change?: string };
  }[];
}[];

async function readLog(
  client: Client,
  seq: number,
  options: { readonly COUNT: number; readonly BLOCK?: number },
): Promise<readonly LogEntry[]> {
  const reply = (await client.xRead({ key: KEYS.log, id: `${seq}-0` }, options)) as ReadReply | null;
  return (reply ?? []).flatMap(({ messages }) =>
    messages.map(({ id, message: { seen, change } }): LogEntry => {
      const kind = seen === undefined ? 'change' : 'seen';
      return { seq: Number.parseInt(id, 10), kind, text: seen ?? change ?? '' };
    }),
  );
}

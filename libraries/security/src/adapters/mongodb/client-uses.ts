import { setMaxListeners } from 'node:events';
import type { ClientSession, MongoClient } from 'mongodb';
import type { ResourceHold, RotatingResource } from '../../credentials/index.ts';
import type { MongoLogin } from './login.ts';

export type ClientHold = ResourceHold<MongoClient>;

type Method = (...args: unknown[]) => unknown;

/** Which client a piece of work runs on, and for how long it keeps that client. */
export class ClientUses {
  readonly #resource: RotatingResource<MongoLogin, MongoClient>;
  readonly #sessions = new WeakMap<object, ClientHold>();
  readonly #streams = new Set<{ close(): Promise<void> }>();

  constructor(resource: RotatingResource<MongoLogin, MongoClient>) {
    this.#resource = resource;
  }

  /** The newest client; work with a session among its arguments has to run on the client of the session. */
  hold(args: readonly unknown[] = []): ClientHold {
    for (const arg of args) {
      const { session } = (arg ?? {}) as { readonly session?: unknown };
      const held = typeof session === 'object' && session !== null ? this.#sessions.get(session) : undefined;
      // The session keeps the client, for longer than this work.
      if (held !== undefined) return { ...held, release: () => undefined };
    }
    return this.#resource.hold();
  }

  async run<X>(args: readonly unknown[], work: (client: MongoClient) => X | Promise<X>): Promise<X> {
    const hold = this.hold(args);
    try {
      return await whileHeld(hold, () => work(hold.resource));
    } finally {
      hold.release();
    }
  }

  /** Has the session keep its client until it ends. */
  bind(session: ClientSession, hold: ClientHold): void {
    this.#sessions.set(session, hold);
    // As many as there are operations of the session at a time.
    setMaxListeners(0, hold.signal);
    session.once('ended', () => hold.release());
  }

  /** Remembers a change stream, which would run for ever, for `closeStreams`. */
  track(stream: { close(): Promise<void> }): void {
    this.#streams.add(stream);
  }

  untrack(stream: { close(): Promise<void> }): void {
    this.#streams.delete(stream);
  }

  async closeStreams(): Promise<void> {
    await Promise.all([...this.#streams].map((stream) => stream.close()));
  }

  /**
   * An object with the named methods; each call runs the method of what `on` makes of the client. A table of names,
   * not a Proxy: what the facade has is written down, and the types, overloads included, are the driver's own.
   */
  forward<O extends object, K extends keyof O>(names: readonly K[], on: (client: MongoClient) => O): Pick<O, K> {
    const forwarded = names.map((name): [K, Method] => [
      name,
      (...args) =>
        this.run(args, (client) => {
          const target = on(client);
          return (target[name] as Method).apply(target, args);
        }),
    ]);
    return Object.fromEntries(forwarded) as Pick<O, K>;
  }
}

/**
 * The outcome of `work`; when the client is taken away before, the reason of that. The work may have been done on the
 * server all the same.
 */
export async function whileHeld<X>({ signal }: Pick<ClientHold, 'signal'>, work: () => X | Promise<X>): Promise<X> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const taken = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work(), taken]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

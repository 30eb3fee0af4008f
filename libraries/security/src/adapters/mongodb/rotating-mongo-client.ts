import type {
  ChangeStreamDocument,
  ChangeStreamOptions,
  ClientBulkWriteModel,
  ClientBulkWriteOptions,
  ClientBulkWriteResult,
  ClientSession,
  ClientSessionOptions,
  DbOptions,
  Document,
  MongoClient,
  WithSessionCallback,
} from 'mongodb';
import { type Clock, sleep, systemClock } from '../../common/index.ts';
import { type RotatingCredential, RotatingResource } from '../../credentials/index.ts';
import { ClientUses } from './client-uses.ts';
import { connect, destroy, type RotatingMongoClientOptions } from './connect.ts';
import type { MongoLogin } from './login.ts';
import { RotatingChangeStream } from './rotating-change-stream.ts';
import { type RotatingDb, rotatingDb } from './rotating-db.ts';
import { startSession, withSession } from './rotating-session.ts';

/** How long `close` waits for what still runs. */
const CLOSE_LIMIT_MS = 5_000;

/**
 * A MongoClient that follows a rotating credential. The driver fixes the login when a client is made, so each
 * generation has a client of its own behind this one; databases and collections taken from here go on for ever.
 */
export class RotatingMongoClient implements AsyncDisposable {
  readonly #resource: RotatingResource<MongoLogin, MongoClient>;
  readonly #uses: ClientUses;
  readonly #clock: Clock;
  readonly #defaultDatabase: string;

  private constructor(resource: RotatingResource<MongoLogin, MongoClient>, clock: Clock, defaultDatabase: string) {
    this.#resource = resource;
    this.#uses = new ClientUses(resource);
    this.#clock = clock;
    this.#defaultDatabase = defaultDatabase;
  }

  static async open(
    credential: RotatingCredential<MongoLogin>,
    uri: string,
    { clock = systemClock, ...options }: RotatingMongoClientOptions = {},
  ): Promise<RotatingMongoClient> {
    const resource = await RotatingResource.open<MongoLogin, MongoClient>(
      credential,
      {
        open: (generation, { signal }) => connect(generation, { uri, options, clock, signal }),
        close: (client) => client.close(),
        destroy: (client) => destroy(client, clock),
      },
      { clock },
    );
    const defaultDatabase = await resource.use((client) => client.db().databaseName);
    return new RotatingMongoClient(resource, clock, defaultDatabase);
  }

  /** The generation that new work uses. */
  get generation(): number {
    return this.#resource.generation;
  }

  /** Operations, open cursors, sessions and change streams, by generation. */
  uses(): ReadonlyMap<number, number> {
    return this.#resource.uses();
  }

  /** Default: the database that the connection string names. */
  db(name: string = this.#defaultDatabase, options?: DbOptions): RotatingDb {
    return rotatingDb(this.#uses, name, options);
  }

  /**
   * Lends the driver's own client to `work`, for what the facade lacks. It stays open until `work` has ended: keep
   * nothing of it for later.
   */
  use<X>(work: (client: MongoClient) => X | Promise<X>): Promise<X> {
    return this.#uses.run([], work);
  }

  /** A session that keeps its client until `endSession`. Name it in the options of the operations that belong to it. */
  startSession(options?: ClientSessionOptions): ClientSession {
    return startSession(this.#uses, options);
  }

  withSession<X>(work: WithSessionCallback<X>): Promise<X>;
  withSession<X>(options: ClientSessionOptions, work: WithSessionCallback<X>): Promise<X>;
  async withSession<X>(
    optionsOrWork: ClientSessionOptions | WithSessionCallback<X>,
    work?: WithSessionCallback<X>,
  ): Promise<X> {
    if (typeof optionsOrWork === 'function') return withSession(this.#uses, undefined, optionsOrWork);
    if (work === undefined) throw new TypeError('work: must be a function');
    return withSession(this.#uses, optionsOrWork, work);
  }

  /** Changes of every database. */
  watch<T extends Document = Document, C extends Document = ChangeStreamDocument<T>>(
    pipeline: Document[] = [],
    options: ChangeStreamOptions = {},
  ): RotatingChangeStream<T, C> {
    const make = (client: MongoClient, resumeOptions: ChangeStreamOptions) =>
      client.watch<T, C>(pipeline, resumeOptions);
    return new RotatingChangeStream<T, C>({ uses: this.#uses, options, make });
  }

  /** Writes to several collections in one go; needs a server of version 8. */
  bulkWrite(
    models: readonly ClientBulkWriteModel<Record<string, Document>>[],
    options?: ClientBulkWriteOptions,
  ): Promise<ClientBulkWriteResult> {
    return this.#uses.run([options], (client) => client.bulkWrite(models, options));
  }

  /** Closes the change streams, lets what runs end for up to five seconds, then ends the rest. Idempotent. */
  async close(): Promise<void> {
    const over = new AbortController();
    const limit = sleep(CLOSE_LIMIT_MS, { clock: this.#clock, signal: over.signal });
    const closed = Promise.all([this.#resource.close(), this.#uses.closeStreams()]);
    await Promise.race([closed, limit.then(() => this.#resource.destroy())]);
    over.abort();
    limit.catch(() => undefined);
  }

  /** Ends everything now. Idempotent. */
  destroy(): Promise<void> {
    return this.#resource.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Connects to `uri` with the login of `credential`; a login in `uri` gives way to it. Resolves when the first client
 * has logged in.
 */
export function rotatingMongoClient(
  credential: RotatingCredential<MongoLogin>,
  uri: string,
  options?: RotatingMongoClientOptions,
): Promise<RotatingMongoClient> {
  return RotatingMongoClient.open(credential, uri, options);
}

import { type Clock, type Logger, messageOf, silentLogger, systemClock } from '../../common/index.ts';
import type { CredentialConsumer, DrainOptions, Generation, RotatingCredential } from '../../credentials/index.ts';
import { type AuthAnswer, traceAuth } from './auth-trace.ts';
import { Changes } from './changes.ts';
import type { RedisLogin } from './login.ts';

/** What node-redis calls `BasicAuth`. */
export interface NodeRedisLogin {
  readonly username?: string;
  readonly password?: string;
}

/** What node-redis calls `StreamingCredentialsListener`. */
export interface NodeRedisListener {
  onNext(login: NodeRedisLogin): void;
  onError(error: Error): void;
}

export interface RedisRotationOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Between two tries to have AUTH sent. */
const RETRY_MS = 50;

/** A connection that node-redis has subscribed for. */
interface Connection {
  readonly listener: NodeRedisListener;
  /** The generation it is logged in with, as far as the server has confirmed. */
  generation: number;
  /** The latest generation it was told. */
  target: number;
  clientId: string | undefined;
  /** Whether waiting has a point: the answer to an AUTH is due. */
  moving: boolean;
}

/**
 * The `credentialsProvider` of node-redis clients, pools, clusters and their duplicates that follow `credential`. Each
 * rotation logs every connection in again as it is (AUTH on the live connection) and waits until the server has
 * confirmed it, since Redis ends the connections of a user that is removed. Commands in flight, transactions and, with
 * RESP3, subscriptions go on undisturbed; AUTH waits behind a blocking command until that returns.
 */
export class NodeRedisCredentials implements CredentialConsumer<RedisLogin> {
  readonly type = 'streaming-credentials-provider';
  readonly #credential: RotatingCredential<RedisLogin>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #connections = new Set<Connection>();
  readonly #changes = new Changes();
  readonly #detach: () => void;
  #published: number;

  constructor(credential: RotatingCredential<RedisLogin>, options: RedisRotationOptions = {}) {
    this.#credential = credential;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#published = credential.current().generation;
    this.#detach = credential.attach(this);
  }

  /** The generation that new connections use. */
  get generation(): number {
    return this.#credential.current().generation;
  }

  /** Connections by the generation they are logged in with. */
  sessions(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const { generation } of this.#connections) counts.set(generation, (counts.get(generation) ?? 0) + 1);
    return counts;
  }

  /** Takes the clients out of the rotations. Their connections stay as they are. */
  detach(): void {
    this.#detach();
  }

  /** For node-redis: called at the handshake of each connection. */
  async subscribe(listener: NodeRedisListener): Promise<[NodeRedisLogin, { dispose(): void }]> {
    const { value, generation } = this.#credential.current();
    const connection: Connection = { listener, generation, target: generation, clientId: undefined, moving: false };
    this.#connections.add(connection);
    const login = { username: value.username, password: value.password.reveal() };
    return [login, { dispose: () => this.#forget(connection) }];
  }

  /** For node-redis: called when AUTH on a live connection failed. */
  onReAuthenticationError(error: Error): void {
    this.#logger.warn({ credential: this.#credential.name, cause: messageOf(error) }, 'AUTH on a connection failed');
  }

  /** Connections opened from here on read the new login; the others are told. */
  publish(next: Generation<RedisLogin>): void {
    this.#published = next.generation;
    for (const connection of [...this.#connections]) this.#move(connection, next);
  }

  async drain(previous: Generation<RedisLogin>, options: DrainOptions): Promise<{ terminated: number }> {
    // Nothing newer was published: the credential is being closed, so the clients are to be closed before it.
    const closing = previous.generation >= this.#published;
    if (closing) this.publish(previous);
    const old = (): Connection[] =>
      [...this.#connections].filter(({ generation }) => generation <= previous.generation);
    const done = (): boolean => (closing ? old().length === 0 : !old().some(({ moving }) => moving));
    await this.#changes.until(done, options, this.#clock);
    const left = old();
    for (const connection of left) connection.moving = false;
    if (left.length > 0) {
      const fields = { credential: this.#credential.name, connections: left.length };
      this.#logger.warn(fields, 'connections still have the old login: Redis ends them when it removes the user');
    }
    return { terminated: left.length };
  }

  #move(connection: Connection, { value, generation }: Pick<Generation<RedisLogin>, 'value' | 'generation'>): void {
    connection.target = generation;
    let read = false;
    const login = {
      get username(): string {
        read = true;
        return value.username;
      },
      get password(): string {
        return value.password.reveal();
      },
    };
    const sent = traceAuth(() => connection.listener.onNext(login));
    // A RESP2 connection with subscriptions takes no AUTH, and node-redis does not even read the login. A driver that
    // reads it but does not trace gets the whole drain time.
    connection.moving = read;
    if (sent === undefined) return;
    this.#dropForerunner(connection, sent.clientId);
    void sent.answered.then((answer) => {
      const fate = fateOf(answer);
      if (fate === 'gone') return this.#forget(connection);
      if (connection.target !== generation || !connection.moving) return;
      if (fate === 'unsent') return this.#moveLater(connection, { value, generation });
      if (fate === 'done') connection.generation = generation;
      connection.moving = false;
      this.#changes.notify();
    });
  }

  #moveLater(connection: Connection, next: Pick<Generation<RedisLogin>, 'value' | 'generation'>): void {
    this.#clock.setTimer(RETRY_MS, () => {
      const wanted = connection.moving && connection.target === next.generation;
      if (wanted && this.#connections.has(connection)) this.#move(connection, next);
    });
  }

  /** node-redis subscribes again when it reconnects and does not end the subscription of the broken connection. */
  #dropForerunner(connection: Connection, clientId: string | undefined): void {
    connection.clientId = clientId;
    if (clientId === undefined) return;
    for (const other of this.#connections) {
      if (other === connection) return;
      if (other.clientId === clientId) this.#forget(other);
    }
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    this.#changes.notify();
  }
}

/**
 * `gone`: the connection is, and the next one logs in anew. `unsent`: node-redis kept AUTH back, as it does with an
 * offline queue that is switched off or full. `refused`: the server's own answer, or it took AUTH for a part of a
 * transaction that is being sent command by command.
 */
function fateOf(answer: AuthAnswer): 'done' | 'gone' | 'unsent' | 'refused' {
  if ('reply' in answer) return String(answer.reply) === 'OK' ? 'done' : 'refused';
  const { error } = answer;
  if (!(error instanceof Error)) return 'refused';
  const { name } = error.constructor;
  if (/^(SimpleError|BlobError|ErrorReply)$/.test(name)) return 'refused';
  if ('code' in error || /^(ClientClosed|Socket|Disconnects)/.test(name)) return 'gone';
  return 'unsent';
}

/** The `credentialsProvider` for node-redis 5.12 or later; everything that uses it follows `credential`. */
export function nodeRedisCredentials(
  credential: RotatingCredential<RedisLogin>,
  options?: RedisRotationOptions,
): NodeRedisCredentials {
  return new NodeRedisCredentials(credential, options);
}

import { once } from 'node:events';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { messageOf } from '../../common/index.ts';
import { KafkaError } from './kafka-error.ts';
import type { KafkaLogin } from './login.ts';
import { authenticateScram } from './scram.ts';
import { WireReader, WireWriter } from './wire.ts';

const CLIENT_ID = 'neural-hive-security';
const SASL_HANDSHAKE = { key: 17, version: 1, flexible: false } as const;
const SASL_AUTHENTICATE = { key: 36, version: 2, flexible: true } as const;
const MECHANISM = 'SCRAM-SHA-512';
/** Lists of users and ACLs are far smaller. */
const LONGEST_ANSWER = 16 * 1024 * 1024;

/** A request of the Kafka protocol; `flexible` ones have compact types and a longer header. */
export interface KafkaApi {
  readonly key: number;
  readonly version: number;
  readonly flexible: boolean;
}

export interface BrokerAddress {
  /** `host:port` of each broker that may be asked; the first one that answers is. */
  readonly brokers: readonly string[];
  /** Trust and, when the listener wants it, a client certificate. There is no way without TLS. */
  readonly tls: ConnectionOptions;
  /** Of one connection or answer. In milliseconds; default 10 000. */
  readonly timeoutMs?: number;
}

/** One authenticated connection to a broker, for a few requests one after another. */
export class BrokerConnection implements AsyncDisposable {
  readonly #socket: TLSSocket;
  readonly #timeoutMs: number;
  #received = Buffer.alloc(0);
  #correlation = 0;

  private constructor(socket: TLSSocket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.pause();
  }

  static async open(address: BrokerAddress, login: KafkaLogin, signal?: AbortSignal): Promise<BrokerConnection> {
    let failure: unknown = new TypeError('brokers: must name one at least');
    for (const broker of address.brokers) {
      try {
        return await BrokerConnection.#openOne(broker, address, login, signal);
      } catch (error) {
        failure = error;
        // The others would refuse it as well, and count it against the user.
        if (signal?.aborted || (error instanceof KafkaError && error.code === 'login-refused')) break;
      }
    }
    throw failure;
  }

  static async #openOne(
    broker: string,
    { tls, timeoutMs = 10_000 }: BrokerAddress,
    login: KafkaLogin,
    signal: AbortSignal | undefined,
  ): Promise<BrokerConnection> {
    const [, host = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(broker) ?? [];
    if (host === '') throw new TypeError(`brokers: "${broker}" must be host:port`);
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ host, port: Number(port), ...servername, ...tls });
    // Read by whoever waits; unheard, a late one would end the process.
    socket.on('error', () => undefined);
    const connection = new BrokerConnection(socket, timeoutMs);
    try {
      const limit = AbortSignal.timeout(timeoutMs);
      await once(socket, 'secureConnect', { signal: signal === undefined ? limit : AbortSignal.any([limit, signal]) });
    } catch (error) {
      socket.destroy();
      signal?.throwIfAborted();
      const message = `Connecting to Kafka at ${broker}: ${messageOf(error)}`;
      throw new KafkaError('unreachable', message, { cause: error, retryable: true });
    }
    try {
      await connection.#authenticate(login);
      return connection;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Sends a request and reads its answer. */
  async call<T>(api: KafkaApi, write: (body: WireWriter) => void, read: (answer: WireReader) => T): Promise<T> {
    this.#correlation += 1;
    const request = new WireWriter().int16(api.key).int16(api.version).int32(this.#correlation).string(CLIENT_ID);
    if (api.flexible) request.noTags();
    write(request);
    const bytes = request.bytes();
    this.#socket.write(Buffer.concat([new WireWriter().int32(bytes.length).bytes(), bytes]));
    const length = (await this.#take(4)).readInt32BE();
    if (length < 4 || length > LONGEST_ANSWER) throw this.#wrong('its length is impossible');
    const answer = new WireReader(await this.#take(length));
    try {
      if (answer.int32() !== this.#correlation) throw new RangeError('it belongs to another request');
      if (api.flexible) answer.skipTags();
      return read(answer);
    } catch (error) {
      if (error instanceof RangeError) throw this.#wrong(error.message);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }

  async #authenticate(login: KafkaLogin): Promise<void> {
    const write = (body: WireWriter): unknown => body.string(MECHANISM);
    const mechanisms = await this.call(SASL_HANDSHAKE, write, (answer) => {
      answer.int16();
      return answer.array(() => answer.string());
    });
    if (!mechanisms.includes(MECHANISM)) {
      const offered = mechanisms.join(', ');
      throw new KafkaError('refused', `Authenticating with Kafka: the listener has no ${MECHANISM}, only ${offered}`);
    }
    await authenticateScram(login, (message) =>
      this.call(
        SASL_AUTHENTICATE,
        (body) => body.compactBytes(Buffer.from(message, 'utf8')).noTags(),
        (answer) => {
          const code = answer.int16();
          const reason = answer.compactString();
          if (code === 0) return answer.compactBytes().toString('utf8');
          throw new KafkaError('login-refused', `Authenticating with Kafka as ${login.username}: ${reason}`);
        },
      ),
    );
  }

  async #take(length: number): Promise<Buffer> {
    const limit = AbortSignal.timeout(this.#timeoutMs);
    while (this.#received.length < length) {
      const chunk: Buffer | null = this.#socket.read();
      if (chunk !== null) {
        this.#received = Buffer.concat([this.#received, chunk]);
        continue;
      }
      const ended = this.#socket.readableEnded || this.#socket.destroyed;
      if (ended || limit.aborted) {
        const rule = ended ? 'it closed the connection' : `no answer within ${this.#timeoutMs} ms`;
        throw new KafkaError('unreachable', `Asking a Kafka broker: ${rule}`, { retryable: true });
      }
      await this.#moreOrEnd(limit);
    }
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  #moreOrEnd(limit: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const events = ['readable', 'end', 'close'] as const;
      const done = (): void => {
        for (const event of events) this.#socket.off(event, done);
        limit.removeEventListener('abort', done);
        resolve();
      };
      for (const event of events) this.#socket.on(event, done);
      limit.addEventListener('abort', done, { once: true });
    });
  }

  #wrong(rule: string): KafkaError {
    return new KafkaError('bad-response', `Reading the answer of a Kafka broker: ${rule}`);
  }
}

import type { ClientRequest } from 'node:http';
import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import {
  ageLimit,
  type ClientRules,
  type ConnectionAge,
  type ConnectTlsOptions,
  connectTls,
  type TrustLoss,
} from '../../tls/index.ts';

/** The variants of `connectTls`. */
export type SpiffeHttpsAgentOptions = ClientRules &
  TrustLoss &
  ConnectionAge & {
    /** Until a new connection is verified, in milliseconds, default 10 000. */
    readonly connectTimeoutMs?: number;
    /** Of what `https.Agent` takes, that which is not about TLS, such as `keepAlive` and `maxSockets`. */
    readonly agent?: Pick<
      AgentOptions,
      'keepAlive' | 'keepAliveMsecs' | 'maxSockets' | 'maxTotalSockets' | 'maxFreeSockets' | 'scheduling' | 'timeout'
    >;
  };

const HTTPS_PORT = 443;

/**
 * An agent for `https.request` whose every new connection uses the identity's current SVID and goes only to a verified
 * and authorized server; TLS options of a request are not looked at. A connection that is kept alive ends between two
 * requests once it reaches `maxAgeMs`.
 */
export function spiffeHttpsAgent(options: SpiffeHttpsAgentOptions): Agent {
  return new SpiffeHttpsAgent(options);
}

class SpiffeHttpsAgent extends Agent {
  readonly #connection: Omit<SpiffeHttpsAgentOptions, 'agent'>;
  readonly #limit: ReturnType<typeof ageLimit>;
  readonly #idle = new WeakSet<Duplex>();
  readonly #retired = new WeakSet<Duplex>();

  constructor(options: SpiffeHttpsAgentOptions) {
    const { agent, ...connection } = options;
    // Nothing is resumed: every connection is a whole handshake of `connectTls`.
    super({ ...agent, maxCachedSessions: 0 });
    this.#connection = connection;
    this.#limit = ageLimit(options);
  }

  override createConnection(
    target: RequestOptions,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    this.#connect(target).then(
      (socket) => callback?.(null, socket),
      // Node's types know no failure.
      (error: Error) => callback?.(error, undefined as unknown as Duplex),
    );
    return undefined;
  }

  async #connect({ host, port }: RequestOptions): Promise<Duplex> {
    const { connectTimeoutMs, ...rules } = this.#connection;
    const socket = await connectTls({
      ...(rules as ConnectTlsOptions),
      host: host ?? 'localhost',
      port: Number(port ?? HTTPS_PORT),
      alpnProtocols: ['http/1.1'],
      ...(connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs }),
    });
    const age = this.#limit({
      retire: () => {
        this.#retired.add(socket);
        if (this.#idle.has(socket)) socket.destroy();
      },
      destroy: () => socket.destroy(),
    });
    socket.once('close', () => age.cancel());
    return socket;
  }

  /** Called when a request is done with its connection; `false` ends it, which Node's types do not know. */
  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#retired.has(socket)) return false;
    const kept = super.keepSocketAlive(socket) as unknown as boolean;
    if (kept) this.#idle.add(socket);
    return kept;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#idle.delete(socket);
    super.reuseSocket(socket, request);
  }
}

import { type ClientHttp2Session, connect } from 'node:http2';
import type { Timer } from '../../common/index.ts';
import { SpiffeError } from '../../spiffe/index.ts';
import { ageLimit, type ConnectionAge, type ConnectTlsOptions, connectTls } from '../../tls/index.ts';

export type ConnectHttp2Options = OmitEach<ConnectTlsOptions, 'alpnProtocols'>;
/** `Omit` of each member of a union. */
type OmitEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * An HTTP/2 session with a server that is verified and authorized before anything is sent: `connectTls` with all its
 * variants. `peerSpiffeId(session.socket)` says who the server is.
 * @throws SpiffeError as `connectTls` does, and `TLS_CONNECT_FAILED` when the server does not speak HTTP/2
 */
export async function connectHttp2(options: ConnectHttp2Options): Promise<ClientHttp2Session> {
  const socket = await connectTls({ ...options, alpnProtocols: ['h2'] });
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy();
    throw new SpiffeError('TLS_CONNECT_FAILED', `The server at ${options.host} does not speak HTTP/2`);
  }
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const session = connect(`https://${host}:${options.port}`, { createConnection: () => socket });
  // What ends a session ends its streams too, and those report it.
  return session.on('error', () => undefined);
}

/**
 * The session to use for the next request to one server: the same one until it ends or reaches `maxAgeMs`, then a new
 * one, with the identity's SVID of that moment. Streams on an old session run to their end. When the server ends the
 * session, a request on its way fails with `NGHTTP2_REFUSED_STREAM`: no handler saw it, make it again.
 */
export class Http2Sessions {
  readonly #options: ConnectHttp2Options & ConnectionAge;
  readonly #limit: ReturnType<typeof ageLimit>;
  readonly #open = new Set<ClientHttp2Session>();
  #current: Promise<ClientHttp2Session> | undefined;
  #closed = false;

  /** @throws RangeError for an age or a grace that cannot be */
  constructor(options: ConnectHttp2Options & ConnectionAge) {
    this.#options = options;
    this.#limit = ageLimit(options);
  }

  /**
   * Ask for it before each request.
   * @throws SpiffeError as `connectHttp2` does; TypeError once closed
   */
  async session(): Promise<ClientHttp2Session> {
    if (this.#closed) throw new TypeError('The sessions are closed');
    this.#current ??= this.#connect();
    const opening = this.#current;
    let session: ClientHttp2Session | undefined;
    try {
      session = await opening;
    } finally {
      if (this.#current === opening && (session === undefined || isEnding(session))) this.#current = undefined;
    }
    return isEnding(session) ? this.session() : session;
  }

  async #connect(): Promise<ClientHttp2Session> {
    const session = await connectHttp2(this.#options);
    if (this.#closed) session.destroy();
    this.#open.add(session);
    const age: Timer = this.#limit({ retire: () => session.close(), destroy: () => session.destroy() });
    session.once('close', () => {
      age.cancel();
      this.#open.delete(session);
    });
    return session;
  }

  /** Lets open streams end. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#settled((session) => session.close());
  }

  /** Ends every stream now. Idempotent. */
  async destroy(): Promise<void> {
    this.#closed = true;
    await this.#settled((session) => session.destroy());
  }

  async #settled(end: (session: ClientHttp2Session) => void): Promise<void> {
    const sessions = [...this.#open];
    const closed = sessions.map((session) => new Promise<void>((resolve) => session.once('close', () => resolve())));
    for (const session of sessions) end(session);
    await Promise.all(closed);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function isEnding(session: ClientHttp2Session): boolean {
  return session.closed || session.destroyed;
}

import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../common/index.ts';
import { guardedServerOptions, guardServer, peerSpiffeId, type ServerRules, type TrustLoss } from '../../tls/index.ts';
import { rememberPeer } from './connection-peers.ts';

/**
 * The variants of `tlsServer`. The age of connections is limited by gRPC itself: `new Server({
 * 'grpc.max_connection_age_ms': …, 'grpc.max_connection_age_grace_ms': … })`.
 */
export type ListenSpiffeOptions = ServerRules &
  TrustLoss & {
    readonly host: string;
    /** 0 lets the system choose. */
    readonly port: number;
    /** Gets one line for each connection that is refused. */
    readonly logger?: { warn(fields: object, message: string): void };
    readonly clock?: Clock;
  };

export interface SpiffeListener {
  readonly port: number;
  /** Takes no more connections, lets calls end for `drainTimeoutMs` (default 5 000), then ends them. Idempotent. */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>;
  /** Ends every connection now. Idempotent. */
  destroy(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const DRAIN_TIMEOUT_MS = 5_000;

/**
 * Serves `server` over mutual TLS. Each connection is judged by its own certificate before a byte reaches gRPC; new ones
 * see the identity's current SVID. Close the listener before the server.
 */
export async function listenSpiffe(server: Server, options: ListenSpiffeOptions): Promise<SpiffeListener> {
  const { host, port, logger, clock = systemClock } = options;
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const secured = new Set<TLSSocket>();
  const tls = createServer({
    ...guardedServerOptions(options),
    // Without it Node does not take the connection for HTTP/2, and other stacks refuse to talk.
    ALPNProtocols: ['h2'],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  guardServer(tls, options);
  tls.on('connection', (socket: Socket) => {
    sockets.add(socket.setNoDelay());
    socket.once('close', () => sockets.delete(socket));
  });
  tls.on('secureConnection', (socket) => {
    secured.add(socket);
    socket.once('close', () => secured.delete(socket)).on('error', () => undefined);
    const id = peerSpiffeId(socket);
    if (id !== undefined) rememberPeer(socket, id);
    injector.injectConnection(socket);
  });
  tls.on('tlsClientError', (error, socket) => {
    const code = 'code' in error ? error.code : undefined;
    logger?.warn({ errorCode: code, peer: socket.remoteAddress }, 'a connection was refused');
  });
  await new Promise<void>((resolve, reject) => {
    tls.once('error', reject);
    tls.listen({ host, port }, () => {
      tls.off('error', reject);
      resolve();
    });
  });
  const closed = new Promise<void>((resolve) => tls.once('close', () => resolve()));
  let closing = false;

  async function close({ drainTimeoutMs = DRAIN_TIMEOUT_MS } = {}): Promise<void> {
    if (!closing) {
      closing = true;
      tls.close();
      injector.drain(drainTimeoutMs);
      // Connections that are still at the handshake carry no call.
      if (secured.size < sockets.size) for (const socket of sockets) if (!carriesCalls(socket)) socket.destroy();
    }
    const timer = clock.setTimer(drainTimeoutMs, () => {
      for (const socket of [...secured, ...sockets]) socket.destroy();
    });
    await closed;
    timer.cancel();
    injector.destroy();
  }

  /** The socket below TLS and the one above share the addresses. */
  function carriesCalls(socket: Socket): boolean {
    return [...secured].some(
      (one) => one.remotePort === socket.remotePort && one.remoteAddress === socket.remoteAddress,
    );
  }

  return {
    port: (tls.address() as AddressInfo).port,
    close,
    destroy: () => close({ drainTimeoutMs: 0 }),
    [Symbol.asyncDispose]: () => close(),
  };
}

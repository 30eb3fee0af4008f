import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import {
  type CallCredentials,
  ChannelCredentials,
  type ChannelOptions,
  credentials,
  type experimental,
  experimental as grpc,
} from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../common/index.ts';
import { SpiffeError, type SpiffeIdMatcher } from '../../spiffe/index.ts';
import { verifyPeer, type X509Identity } from '../../tls/index.ts';
import { clientContext } from '../../tls/secure-context.ts';

export interface SpiffeChannelOptions {
  readonly identity: X509Identity;
  /** Which servers may be talked to. */
  readonly authorize: SpiffeIdMatcher;
  /** Name sent in the handshake, default the target's host unless it is an address. It takes no part in the verification. */
  readonly servername?: string;
  /** For the TLS handshake of one connection. In milliseconds; default 10 000. */
  readonly handshakeTimeoutMs?: number;
  readonly clock?: Clock;
}

/**
 * Credentials of a channel with mutual TLS. Each new connection shows the identity's SVID of that moment and judges the
 * server by its X509-SVID, per trust domain; open connections stay as they are. A server that is refused makes the
 * calls fail as `UNAVAILABLE` with the reason.
 */
export function spiffeChannelCredentials(options: SpiffeChannelOptions): ChannelCredentials {
  return new SpiffeChannelCredentials(options);
}

/**
 * Not `createSsl`: its authorities are one pool for all trust domains, its context is that of the moment the channel
 * was made, and its check of the server is skipped whenever a chain fails in OpenSSL.
 */
class SpiffeChannelCredentials extends ChannelCredentials {
  readonly #options: SpiffeChannelOptions;

  constructor(options: SpiffeChannelOptions) {
    super();
    this.#options = options;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    target: experimental.GrpcUri,
    channelOptions: ChannelOptions,
    callCredentials: CallCredentials = credentials.createEmpty(),
  ): experimental.SecureConnector {
    const servername =
      channelOptions['grpc.ssl_target_name_override'] ?? this.#options.servername ?? hostNameOf(target);
    return {
      connect: async (socket) => ({ socket: await secure(socket, servername, this.#options), secure: true }),
      waitForReady: async () => undefined,
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}

/** SNI carries names only: an address in it is an error (RFC 6066, 3). */
function hostNameOf(target: experimental.GrpcUri): string | undefined {
  if (target.scheme !== 'dns') return undefined;
  const host = grpc.splitHostPort(target.path)?.host ?? target.path;
  return isIP(host) === 0 ? host : undefined;
}

function secure(socket: Socket, servername: string | undefined, options: SpiffeChannelOptions): Promise<TLSSocket> {
  const { identity, clock = systemClock, handshakeTimeoutMs = 10_000 } = options;
  return new Promise((resolve, reject) => {
    const tlsSocket = connect({
      socket,
      secureContext: clientContext(identity.getX509Svid()),
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2'],
      ...(servername === undefined || servername === '' ? {} : { servername }),
    });
    const fail = (error: unknown): void => {
      timer.cancel();
      // Whoever opened the connection closes it; nobody waits for what it still has to report.
      tlsSocket.on('error', () => undefined).destroy();
      reject(error);
    };
    const failed = (why: string, cause?: unknown): void =>
      fail(new SpiffeError('TLS_CONNECT_FAILED', `The TLS handshake failed: ${why}`, { retryable: true, cause }));
    const onError = (error: NodeJS.ErrnoException): void => failed(error.code ?? error.message, error);
    const onClose = (): void => failed('the server closed the connection');
    const timer = clock.setTimer(handshakeTimeoutMs, () => failed(`it took longer than ${handshakeTimeoutMs} ms`));
    tlsSocket.once('error', onError).once('close', onClose);
    tlsSocket.once('secureConnect', () => {
      tlsSocket.off('error', onError).off('close', onClose);
      try {
        verifyPeer(tlsSocket, options);
        if (tlsSocket.alpnProtocol !== 'h2')
          throw new SpiffeError('TLS_CONNECT_FAILED', 'The server does not speak HTTP/2');
        timer.cancel();
        resolve(tlsSocket);
      } catch (error) {
        fail(error);
      }
    });
  });
}

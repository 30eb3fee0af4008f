import { isIP } from 'node:net';
import {
  type CallCredentials,
  ChannelCredentials,
  type ChannelOptions,
  credentials,
  type experimental,
  experimental as grpc,
} from '@grpc/grpc-js';
import { SpiffeError } from '../../spiffe/index.ts';
import { secureSocket } from '../../tls/connect.ts';
import type { ClientRules, TrustLoss } from '../../tls/index.ts';

/** The variants of `connectTls`: mutual TLS, a client without an identity, a server with a certificate of the web. */
export type SpiffeChannelOptions = ClientRules &
  TrustLoss & {
    /**
     * Name sent in the handshake, default the target's host unless it is an address. It takes no part in the
     * verification, except that with `webPki` it is the name that the server must prove.
     */
    readonly servername?: string;
    /** For the TLS handshake of one connection. In milliseconds; default 10 000. */
    readonly handshakeTimeoutMs?: number;
  };

/**
 * Credentials of a channel. Each new connection shows the identity's SVID of that moment and judges the server by its
 * X509-SVID, per trust domain; open connections stay as they are: see `agedChannels`. A server that is refused makes the
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
    const { handshakeTimeoutMs, ...options } = this.#options;
    const host = grpc.splitHostPort(target.path)?.host ?? target.path;
    const name = channelOptions['grpc.ssl_target_name_override'] ?? options.servername;
    return {
      connect: async (socket) => {
        const tlsSocket = await secureSocket({
          ...options,
          socket,
          host: 'webPki' in options ? (name ?? host) : host,
          port: socket.remotePort ?? 0,
          servername: name ?? hostNameOf(target, host),
          alpnProtocols: ['h2'],
          ...(handshakeTimeoutMs === undefined ? {} : { timeoutMs: handshakeTimeoutMs }),
        });
        if (tlsSocket.alpnProtocol === 'h2') return { socket: tlsSocket, secure: true };
        tlsSocket.destroy();
        throw new SpiffeError('TLS_CONNECT_FAILED', 'The server does not speak HTTP/2');
      },
      waitForReady: async () => undefined,
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}

/** SNI carries names only: an address in it is an error (RFC 6066, 3). */
function hostNameOf(target: experimental.GrpcUri, host: string): string {
  return target.scheme === 'dns' && isIP(host) === 0 ? host : '';
}

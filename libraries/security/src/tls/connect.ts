import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { systemClock } from '../common/index.ts';
import { SpiffeError } from '../spiffe/index.ts';
import { type PeerRules, verifyPeer } from './peer.ts';
import { clientContext } from './secure-context.ts';

export interface ConnectTlsOptions extends PeerRules {
  readonly host: string;
  readonly port: number;
  /** Name sent in the handshake, default `host` unless it is an address. It takes no part in the verification. */
  readonly servername?: string;
  readonly alpnProtocols?: readonly string[];
  /** Until the peer is verified, in milliseconds, default 10 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Opens a connection with the identity's current SVID and resolves when the server is verified and authorized; nothing
 * is sent before. With TLS 1.3 a server that refuses this side's certificate shows only on the first read.
 * @throws SpiffeError `TLS_CONNECT_FAILED` (retryable), `PEER_CERTIFICATE_MISSING`, `ID_NOT_AUTHORIZED` and the codes of
 * `verifyX509Svid`; the signal's reason when it is aborted
 */
export async function connectTls(options: ConnectTlsOptions): Promise<TLSSocket> {
  const { identity, host, port, servername = isIP(host) === 0 ? host : '', signal } = options;
  signal?.throwIfAborted();
  const socket = connect({
    host,
    port,
    secureContext: clientContext(identity.getX509Svid()),
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ...(servername === '' ? {} : { servername }),
    ...(options.alpnProtocols === undefined ? {} : { ALPNProtocols: [...options.alpnProtocols] }),
  });
  try {
    await handshake(socket, options);
    verifyPeer(socket, options);
    return socket;
  } catch (error) {
    // Nobody waits for what a socket that was given up still has to report.
    socket.on('error', () => {}).destroy();
    throw error;
  }
}

function handshake(socket: TLSSocket, options: ConnectTlsOptions): Promise<void> {
  const { host, port, signal, clock = systemClock, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const target = `${host}:${port}`;
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      settle();
      const message = `The TLS connection to ${target} failed: ${why}`;
      reject(new SpiffeError('TLS_CONNECT_FAILED', message, { retryable: true, cause }));
    };
    const onError = (error: NodeJS.ErrnoException): void => fail(error.code ?? error.message, error);
    const onClose = (): void => fail('the server closed it');
    const onAbort = (): void => {
      settle();
      reject(signal?.reason);
    };
    const onSecure = (): void => {
      settle();
      resolve();
    };
    const timer = clock.setTimer(timeoutMs, () => fail(`no handshake within ${timeoutMs} ms`));
    const settle = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      socket.off('secureConnect', onSecure).off('close', onClose).off('error', onError);
    };
    socket.on('secureConnect', onSecure).on('close', onClose).on('error', onError);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

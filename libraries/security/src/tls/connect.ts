import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { systemClock } from '../common/index.ts';
import { SpiffeError } from '../spiffe/index.ts';
import { verifyPeer, verifyWebServer, webServerRefused } from './peer.ts';
import type { ClientRules } from './rules.ts';
import { clientContext } from './secure-context.ts';
import { type TrustLoss, watchTrust } from './trust-loss.ts';

export interface ConnectTarget {
  readonly host: string;
  readonly port: number;
  /**
   * Name sent in the handshake, default `host` unless it is an address. It takes no part in the verification: an
   * X509-SVID proves an ID, and a certificate of the web must be one for `host`.
   */
  readonly servername?: string;
  readonly alpnProtocols?: readonly string[];
  /** Until the peer is verified, in milliseconds, default 10 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * With `identity` and `authorize` mutual TLS; with `bundles` instead of `identity` this end shows nothing; with `webPki`
 * instead of `authorize` the server proves `host` by a certificate of the web.
 */
export type ConnectTlsOptions = ClientRules & TrustLoss & ConnectTarget;

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Opens a connection with the identity's current SVID and resolves when the server is verified and authorized; nothing
 * is sent before. With TLS 1.3 a server that refuses this side's certificate shows only on the first read.
 * @throws SpiffeError `TLS_CONNECT_FAILED` (retryable), `PEER_CERTIFICATE_MISSING`, `ID_NOT_AUTHORIZED`,
 * `WEB_SERVER_REFUSED` and the codes of `verifyX509Svid`; the signal's reason when it is aborted
 */
export function connectTls(options: ConnectTlsOptions): Promise<TLSSocket> {
  return secureSocket(options);
}

/** As `connectTls`, over a connection that is open already when one is given. */
export async function secureSocket(options: ConnectTlsOptions & { readonly socket?: Socket }): Promise<TLSSocket> {
  const { host, port, servername = isIP(host) === 0 ? host : '', signal } = options;
  signal?.throwIfAborted();
  const socket = connect({
    host,
    port,
    ...(options.socket === undefined ? {} : { socket: options.socket }),
    secureContext: clientContext(options),
    // Said outright, since `NODE_TLS_REJECT_UNAUTHORIZED` would otherwise decide; an X509-SVID is judged by `verifyPeer`.
    rejectUnauthorized: 'webPki' in options,
    minVersion: 'TLSv1.3',
    ...(servername === '' ? {} : { servername }),
    ...(options.alpnProtocols === undefined ? {} : { ALPNProtocols: [...options.alpnProtocols] }),
    ...('webPki' in options
      ? { checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate) }
      : {}),
  });
  try {
    await handshake(socket, options);
    if ('webPki' in options) verifyWebServer(socket, host);
    else verifyPeer(socket, options);
    watchTrust(socket, options);
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
    const onError = (error: NodeJS.ErrnoException): void => {
      // Set only by Node's own check of a certificate of the web, and before it reports the error.
      const refused = 'webPki' in options && Boolean(socket.authorizationError);
      if (!refused) {
        fail(error.code ?? error.message, error);
        return;
      }
      settle();
      reject(webServerRefused(host, error));
    };
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

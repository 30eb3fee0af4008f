import { constants } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { messageOf } from '../../common/index.ts';
import type { X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { peerChain } from '../svid/x509/peer-chain.ts';
import { verifyX509Svid } from '../svid/x509/verify.ts';
import type { ResolvedEndpoint } from './bundle-endpoint.ts';

export interface EndpointConnectionOptions {
  /** Verifies the server of an `https_spiffe` endpoint. */
  readonly bundles: X509BundleSource | undefined;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Connects to `url`, which is the endpoint's own or one it redirected to, and resolves when the server has proved itself
 * as the profile demands. The other profile is never tried.
 * @throws SpiffeError `BUNDLE_FETCH_FAILED` (retryable), `BUNDLE_ENDPOINT_REFUSED`; the signal's reason
 */
export async function connectToEndpoint(
  url: URL,
  endpoint: ResolvedEndpoint,
  options: EndpointConnectionOptions,
): Promise<TLSSocket> {
  options.signal.throwIfAborted();
  const host = url.hostname.replaceAll(/[[\]]/g, '');
  const socket = connect({
    host,
    port: url.port === '' ? 443 : Number(url.port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    minVersion: 'TLSv1.2',
    // With TLS 1.2 a server could otherwise show another certificate later.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ALPNProtocols: ['http/1.1'],
    ...trustOf(endpoint),
  });
  try {
    await secured(socket, url, options.signal);
    if (endpoint.profile === 'https_spiffe') assertServer(socket, endpoint.endpointId.toString(), options);
    return socket;
  } catch (error) {
    // Nobody waits for what a socket that was given up still has to report.
    socket.on('error', () => {}).destroy();
    throw error;
  }
}

/** Said outright, since `NODE_TLS_REJECT_UNAUTHORIZED` would otherwise switch the check of `https_web` off. */
function trustOf(endpoint: ResolvedEndpoint): ConnectionOptions {
  if (endpoint.profile === 'https_spiffe') return { rejectUnauthorized: false, ca: [] };
  return { rejectUnauthorized: true, ...(endpoint.ca === undefined ? {} : { ca: endpoint.ca }) };
}

function secured(socket: TLSSocket, { host }: URL, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
    };
    const onSecure = (): void => {
      settle();
      resolve();
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      settle();
      reject(failure(host, error));
    };
    const onClose = (): void => {
      settle();
      reject(failure(host, new Error('the server closed the connection')));
    };
    const onAbort = (): void => {
      settle();
      reject(signal.reason);
    };
    socket.on('secureConnect', onSecure).on('error', onError).on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function failure(host: string, error: NodeJS.ErrnoException): SpiffeError {
  // Node marks what its own check of the server's certificate found.
  const certificate = /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_|INVALID_)/.test(
    error.code ?? '',
  );
  const why = messageOf(error);
  return certificate
    ? new SpiffeError('BUNDLE_ENDPOINT_REFUSED', `The bundle endpoint at ${host} is refused: ${why}`, { cause: error })
    : new SpiffeError('BUNDLE_FETCH_FAILED', `The bundle endpoint at ${host} is out of reach: ${why}`, {
        retryable: true,
        cause: error,
      });
}

/** Federation, 5.2.2.4: a valid X509-SVID of exactly the configured ID. */
function assertServer(socket: TLSSocket, expected: string, { bundles, nowMs }: EndpointConnectionOptions): void {
  if (bundles === undefined)
    throw new TypeError('bundles is missing: https_spiffe needs a bundle to verify the server');
  const refused = (why: string, cause?: unknown): SpiffeError =>
    new SpiffeError('BUNDLE_ENDPOINT_REFUSED', `The bundle endpoint ${expected} is refused: ${why}`, { cause });
  let actual: string;
  try {
    actual = verifyX509Svid(peerChain(socket), bundles, { nowMs }).id.toString();
  } catch (cause) {
    throw refused(messageOf(cause), cause);
  }
  if (actual !== expected) throw refused(`the server is ${actual}`);
}

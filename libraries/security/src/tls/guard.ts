import type { Server, TLSSocket, TlsOptions } from 'node:tls';
import { peerChain } from '../spiffe/index.ts';
import { ageLimit, type ConnectionAge } from './connection-age.ts';
import type { X509Identity } from './identity.ts';
import { verifyPeer } from './peer.ts';
import type { BundleRules, PeerRules, ShownCertificate } from './rules.ts';
import { secureContextOptions } from './secure-context.ts';
import { type TrustLoss, watchTrust } from './trust-loss.ts';
import type { WebCertificate } from './web-certificate.ts';

interface AskingServer {
  /**
   * `require`, the default, refuses a peer without a certificate. `request` admits it without an identity; a
   * certificate that is shown is still verified and authorized.
   */
  readonly clientCertificate?: 'require' | 'request';
}

/** Mutual TLS. */
export interface MutualServerRules extends PeerRules, AskingServer {}

/** The server alone proves who it is. It asks for no certificate, so no caller has an identity. */
export interface OneSidedServerRules {
  readonly identity: X509Identity;
  readonly clientCertificate: 'none';
}

/** The server shows a certificate of the web and judges its callers by their X509-SVIDs. */
export interface WebServerRules extends BundleRules, AskingServer {
  readonly webCertificate: WebCertificate;
}

export type ServerRules = MutualServerRules | OneSidedServerRules | WebServerRules;

/** What a server shows, whom it admits, and how long connections last. */
export type SpiffeServerOptions = ServerRules & TrustLoss & ConnectionAge;

/** What a server needs so that every peer reaches `guardServer` with its certificate. */
export function guardedServerOptions(options: SpiffeServerOptions): TlsOptions {
  // OpenSSL asks for a certificate and its proof of possession; whom to trust is decided by `guardServer`.
  const requestCert = options.clientCertificate !== 'none';
  return { ...secureContextOptions(shownBy(options)), requestCert, rejectUnauthorized: false };
}

/**
 * Lets a connection reach the server's listeners only after its peer was verified, and gives new handshakes the
 * current certificate. A refused connection is closed and reported as `tlsClientError`. `retire` tells a connection of
 * `maxAgeMs` in its own protocol to take no new work; without it the connection is destroyed when its grace is over.
 */
export function guardServer(
  server: Server,
  options: SpiffeServerOptions,
  retire: (socket: TLSSocket) => void = () => {},
): void {
  guardConnections(server, options, retire);
  rotateContext(server, options);
}

/** `emit` is the one place before all listeners, including those that Node's HTTPS server adds for itself. */
function guardConnections(server: Server, options: SpiffeServerOptions, retire: (socket: TLSSocket) => void): void {
  const follow = ageLimit(options);
  const emit: (event: string | symbol, ...values: unknown[]) => boolean = server.emit.bind(server);
  server.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event !== 'secureConnection') return emit(event, ...values);
    const socket = values[0] as TLSSocket;
    try {
      admit(socket, options);
    } catch (error) {
      socket.destroy();
      return emit('tlsClientError', error, socket);
    }
    const age = follow({ retire: () => retire(socket), destroy: () => socket.destroy() });
    socket.once('close', () => age.cancel());
    return emit(event, ...values);
  };
}

function admit(socket: TLSSocket, options: SpiffeServerOptions): void {
  // Throws once the identity is withdrawn: a server that is nobody talks to nobody.
  shownBy(options);
  if (options.clientCertificate === 'none') return;
  const anonymous = peerChain(socket).length === 0 && !socket.isSessionReused();
  if (anonymous && options.clientCertificate === 'request') return;
  verifyPeer(socket, options);
  watchTrust(socket, options);
}

function shownBy(options: ServerRules): ShownCertificate {
  return 'webCertificate' in options ? options.webCertificate.current : options.identity.getX509Svid();
}

/** `setSecureContext` forgets every earlier setting, so all of them are given each time. */
function rotateContext(server: Server, options: ServerRules): void {
  let served: ShownCertificate | undefined;
  const serveCurrent = (): void => {
    const shown = current();
    if (shown === undefined || shown === served) return;
    server.setSecureContext(secureContextOptions(shown));
    served = shown;
  };
  const current = (): ShownCertificate | undefined => {
    try {
      return shownBy(options);
    } catch {
      // Withdrawn: `admit` refuses every new connection until there is one again.
      return undefined;
    }
  };
  serveCurrent();
  const source = 'webCertificate' in options ? options.webCertificate : options.identity;
  const stop = source.onUpdate?.(serveCurrent);
  if (stop !== undefined) server.once('close', stop);
}

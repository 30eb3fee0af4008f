import type { Server, TLSSocket, TlsOptions } from 'node:tls';
import { peerChain, type X509Svid } from '../spiffe/index.ts';
import { type PeerRules, verifyPeer } from './peer.ts';
import { secureContextOptions } from './secure-context.ts';

export interface SpiffeServerOptions extends PeerRules {
  /**
   * `require`, the default, refuses a peer without a certificate. `request` admits it without an identity; a
   * certificate that is shown is still verified and authorized.
   */
  readonly clientCertificate?: 'require' | 'request';
}

/** What a server needs so that every peer reaches `guardServer` with its certificate. */
export function guardedServerOptions({ identity }: SpiffeServerOptions): TlsOptions {
  // OpenSSL asks for a certificate and its proof of possession; whom to trust is decided by `guardServer`.
  return { ...secureContextOptions(identity.getX509Svid()), requestCert: true, rejectUnauthorized: false };
}

/**
 * Lets a connection reach the server's listeners only after its peer was verified, and gives new handshakes the
 * identity's current SVID. A refused connection is closed and reported as `tlsClientError`.
 */
export function guardServer(server: Server, options: SpiffeServerOptions): void {
  guardConnections(server, options);
  rotateContext(server, options);
}

/** `emit` is the one place before all listeners, including those that Node's HTTPS server adds for itself. */
function guardConnections(server: Server, options: SpiffeServerOptions): void {
  const emit: (event: string | symbol, ...values: unknown[]) => boolean = server.emit.bind(server);
  server.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    const [socket] = values;
    if (event !== 'secureConnection') return emit(event, ...values);
    try {
      admit(socket as TLSSocket, options);
    } catch (error) {
      (socket as TLSSocket).destroy();
      return emit('tlsClientError', error, socket);
    }
    return emit(event, ...values);
  };
}

function admit(socket: TLSSocket, options: SpiffeServerOptions): void {
  // Throws once the identity is withdrawn: a server that is nobody talks to nobody.
  options.identity.getX509Svid();
  const anonymous = peerChain(socket).length === 0 && !socket.isSessionReused();
  if (anonymous && options.clientCertificate === 'request') return;
  verifyPeer(socket, options);
}

/** `setSecureContext` forgets every earlier setting, so all of them are given each time. */
function rotateContext(server: Server, { identity }: SpiffeServerOptions): void {
  let served: X509Svid | undefined;
  const serveCurrent = (): void => {
    const svid = currentSvid();
    if (svid === undefined || svid === served) return;
    server.setSecureContext(secureContextOptions(svid));
    served = svid;
  };
  const currentSvid = (): X509Svid | undefined => {
    try {
      return identity.getX509Svid();
    } catch {
      // Withdrawn: `admit` refuses every new connection until there is one again.
      return undefined;
    }
  };
  serveCurrent();
  const stop = identity.onUpdate?.(serveCurrent);
  if (stop !== undefined) server.once('close', stop);
}

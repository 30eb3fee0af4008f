import { createServer, type Server, type TLSSocket } from 'node:tls';
import { guardedServerOptions, guardServer, type SpiffeServerOptions } from './guard.ts';

export type TlsServerOptions = SpiffeServerOptions & {
  /**
   * Told when a connection has reached `maxAgeMs`, to end it where its protocol allows. Without it the connection is
   * destroyed when its grace is over.
   */
  readonly onRetire?: (socket: TLSSocket) => void;
};

/**
 * A TLS server that shows the identity's current SVID and admits only peers whose X509-SVID verifies in its own trust
 * domain and whose ID `authorize` accepts. Close it to end its subscription to the identity.
 * @throws whatever `identity.getX509Svid()` throws when there is no SVID yet
 */
export function tlsServer(options: TlsServerOptions, onSecureConnection?: (socket: TLSSocket) => void): Server {
  const server = createServer(guardedServerOptions(options), onSecureConnection);
  guardServer(server, options, options.onRetire);
  return server;
}

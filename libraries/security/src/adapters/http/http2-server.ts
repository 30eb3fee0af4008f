import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { ageLimit, guardedServerOptions, guardServer, type SpiffeServerOptions } from '../../tls/index.ts';

/**
 * An HTTP/2 server for verified and authorized peers only, as `tlsServer` is one for TLS. `peerSpiffeId` says who
 * calls: of `request.socket` in a request listener, of `stream.session.socket` in a `stream` listener, both at its
 * beginning, because neither is there once the connection is gone. A session of `maxAgeMs` ends by GOAWAY when its
 * streams are done; a request that was on its way then fails with `NGHTTP2_REFUSED_STREAM` before any handler saw it,
 * and is to be made again (RFC 9113, 8.7).
 */
export function http2Server(
  options: SpiffeServerOptions,
  requestListener?: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
): Http2SecureServer {
  const server = createSecureServer({ ...guardedServerOptions(options), ALPNProtocols: ['h2'] }, requestListener);
  const follow = ageLimit(options);
  const { maxAgeMs: _ofSessions, ...rules } = options;
  guardServer(server, rules);
  server.on('session', (session) => {
    // Not the notice that RFC 9113, 6.8 sends first: after any GOAWAY Node answers no new stream, not even by refusing it.
    const age = follow({ retire: () => session.close(), destroy: () => session.destroy() });
    session.once('close', () => age.cancel());
  });
  // Whoever does not speak HTTP/2 would otherwise be told so in HTTP/1.
  server.on('unknownProtocol', (socket: TLSSocket) => socket.destroy());
  return server;
}

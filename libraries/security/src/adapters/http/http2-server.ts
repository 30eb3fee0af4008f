import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { ageLimit, guardedServerOptions, guardServer, type SpiffeServerOptions } from '../../tls/index.ts';

const ALL_STREAMS = 2 ** 31 - 1;

/**
 * An HTTP/2 server for verified and authorized peers only, as `tlsServer` is one for TLS. `peerSpiffeId` says who
 * calls: of `request.socket` in a request listener, of `stream.session.socket` in a `stream` listener, both at its
 * beginning, because neither is there once the connection is gone. A session of `maxAgeMs` ends by GOAWAY when its
 * streams are done.
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
    const age = follow({ retire: () => retire(session), destroy: () => session.destroy() });
    session.once('close', () => age.cancel());
  });
  // Whoever does not speak HTTP/2 would otherwise be told so in HTTP/1.
  server.on('unknownProtocol', (socket: TLSSocket) => socket.destroy());
  return server;
}

/** RFC 9113, 6.8: first say that it ends, and only a round trip later refuse what still comes. */
function retire(session: ServerHttp2Session): void {
  if (session.closed || session.destroyed) return;
  session.goaway(constants.NGHTTP2_NO_ERROR, ALL_STREAMS);
  if (!session.ping(() => session.close())) session.close();
}

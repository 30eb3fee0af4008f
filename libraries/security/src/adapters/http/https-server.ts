import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { guardedServerOptions, guardServer, type SpiffeServerOptions } from '../../tls/index.ts';

/**
 * An HTTPS server for verified and authorized peers only, as `tlsServer` is one for TLS. In a handler
 * `peerSpiffeId(request.socket)` says who calls. Fastify takes it as
 * `serverFactory: (handler) => httpsServer(options, handler)`. A connection of `maxAgeMs` ends with its next response,
 * which says `connection: close`; one that is idle ends by the server's `keepAliveTimeout`.
 */
export function httpsServer(options: SpiffeServerOptions, requestListener?: RequestListener): Server {
  const server = createServer(guardedServerOptions(options), requestListener);
  const retired = new WeakSet<Socket>();
  // Closing an idle connection here could meet a request on its way.
  guardServer(server, options, (socket) => retired.add(socket));
  server.prependListener('request', ({ socket }: IncomingMessage, reply: ServerResponse) => {
    if (retired.has(socket)) reply.setHeader('connection', 'close');
  });
  return server;
}

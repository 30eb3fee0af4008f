import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { guardedServerOptions, guardServer, type SpiffeServerOptions } from '../../tls/index.ts';

/**
 * An HTTPS server for verified and authorized peers only, as `tlsServer` is one for TLS. In a handler
 * `peerSpiffeId(request.socket)` says who calls. Fastify takes it as
 * `serverFactory: (handler) => httpsServer(options, handler)`.
 */
export function httpsServer(options: SpiffeServerOptions, requestListener?: RequestListener): Server {
  const server = createServer(guardedServerOptions(options), requestListener);
  guardServer(server, options);
  return server;
}

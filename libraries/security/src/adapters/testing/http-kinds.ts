import { once } from 'node:events';
import { constants } from 'node:http2';
import type { Server } from 'node:https';
import { request as requestHttps } from 'node:https';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { peerSpiffeId, type SpiffeServerOptions } from '../../tls/index.ts';
import { Http2Sessions } from '../http/http2-client.ts';
import { http2Server } from '../http/http2-server.ts';
import { spiffeHttpsAgent } from '../http/https-agent.ts';
import { httpsServer } from '../http/https-server.ts';
import { spiffeAgent } from '../http/spiffe-agent.ts';
import { NOBODY, type Serving, type TlsKind } from './tls-kind.ts';

export async function listening(server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function serveHttps(options: SpiffeServerOptions): Promise<Serving> {
  const server: Server = httpsServer(options, (call, reply) => {
    reply.end(String(peerSpiffeId(call.socket) ?? NOBODY));
  });
  const port = await listening(server);
  return {
    port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const HTTPS: TlsKind = {
  name: 'https',
  alpn: 'http/1.1',
  clientAges: true,
  serve: serveHttps,
  caller({ host, port, ...options }) {
    const agent = spiffeHttpsAgent({ ...options, agent: { keepAlive: true } });
    return {
      ask: async () => {
        const call = requestHttps({ host, port, agent }).end();
        const [reply] = await once(call, 'response');
        return text(reply);
      },
      close: () => agent.destroy(),
    };
  },
};

export const UNDICI: TlsKind = {
  name: 'undici',
  alpn: 'http/1.1',
  clientAges: true,
  serve: serveHttps,
  caller({ host, port, ...options }) {
    const dispatcher = spiffeAgent({ ...options, agent: { connections: 1 } });
    return {
      ask: async () => (await request(`https://${host}:${port}/`, { dispatcher })).body.text(),
      close: () => dispatcher.destroy(),
    };
  },
};

export const HTTP2: TlsKind = {
  name: 'http2',
  alpn: 'h2',
  clientAges: true,
  async serve(options) {
    const server = http2Server(options);
    server.on('stream', (stream) => {
      const socket = stream.session?.socket;
      stream.on('error', () => undefined).respond();
      stream.end(String((socket === undefined ? undefined : peerSpiffeId(socket)) ?? NOBODY));
    });
    const sessions = new Set<{ destroy(): void }>();
    server.on('session', (session) => sessions.add(session));
    const port = await listening(server);
    return {
      port,
      close: () => {
        server.close();
        for (const session of sessions) session.destroy();
      },
    };
  },
  caller(options) {
    const sessions = new Http2Sessions(options);
    return {
      async ask() {
        const stream = (await sessions.session()).request();
        const answered = new Promise<void>((resolve, reject) => {
          stream.once('response', () => resolve());
          // Also without an error, when the server ends the connection.
          stream.once('close', () => reject(new Error('closed')));
        });
        try {
          const [body] = await Promise.all([text(stream), answered]);
          return body;
        } catch (error) {
          if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return this.ask();
          throw error;
        }
      },
      close: () => sessions.destroy(),
    };
  },
};

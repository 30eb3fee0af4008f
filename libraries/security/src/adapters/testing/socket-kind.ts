import type { TLSSocket } from 'node:tls';
import { connectTls, peerSpiffeId, tlsServer } from '../../tls/index.ts';
import { listening } from './http-kinds.ts';
import { NOBODY, type TlsKind } from './tls-kind.ts';

/** Sockets with a protocol of one question and one answer, whose last answer before the end says so. */
export const TLS: TlsKind = {
  name: 'node:tls',
  alpn: '',
  clientAges: false,
  async serve(options) {
    const sockets = new Set<TLSSocket>();
    const retired = new WeakSet<TLSSocket>();
    const server = tlsServer({ ...options, onRetire: (socket) => retired.add(socket) }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => {
        const answer = String(peerSpiffeId(socket) ?? NOBODY);
        if (retired.has(socket)) socket.end(`${answer} bye`);
        else socket.write(answer);
      });
    });
    const port = await listening(server);
    return {
      port,
      close: () => {
        server.close();
        for (const socket of sockets) socket.destroy();
      },
    };
  },
  caller(options) {
    let open: TLSSocket | undefined;
    return {
      async ask() {
        const socket = open ?? (await connectTls(options)).on('error', () => undefined);
        open = socket.closed ? undefined : socket;
        if (socket.closed) throw new Error('closed');
        const answer = await new Promise<string>((resolve, reject) => {
          const onClose = () => {
            open = undefined;
            reject(new Error('closed'));
          };
          socket.once('close', onClose).once('data', (data) => {
            socket.off('close', onClose);
            resolve(String(data));
          });
          socket.write('who am I?');
        });
        if (answer.endsWith(' bye')) open = undefined;
        return answer.split(' ')[0] ?? '';
      },
      close: () => open?.destroy(),
    };
  },
};

import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { assertSocketPath } from '@neural-hive/security/common';
import type { Dispatcher } from '../api/dispatcher.ts';
import { readJsonBody } from '../api/request-body.ts';
import { Fault } from '../fault.ts';

/** The control API for whoever can open a 0600 socket: the same paths, without a token. */
export class ControlSocket {
  readonly #server: Server;
  readonly #path: string;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** `rootToken` stands in for the caller: the file mode has checked who that is. */
  static async listen(path: string, dispatcher: Dispatcher, rootToken: string): Promise<ControlSocket> {
    assertSocketPath(path);
    await rm(path, { force: true });
    const server = createServer((request, response) => {
      const serve = async (): Promise<{ status: number; body: string | Buffer }> => {
        const url = new URL(request.url ?? '/', 'http://control');
        if (!url.pathname.startsWith('/v1/sys/dev/')) throw new Fault('not_found', 'only /v1/sys/dev/ is served here');
        return dispatcher.serve({
          method: request.method ?? 'GET',
          path: url.pathname.slice('/v1/'.length),
          query: url.searchParams,
          body: await readJsonBody(request),
          token: rootToken,
          bearer: undefined,
          remoteAddress: 'control-socket',
        });
      };
      serve()
        .catch((error: unknown) => {
          const fault = error instanceof Fault ? error : new Fault('internal', 'internal error', { cause: error });
          return { status: fault.status, body: JSON.stringify({ errors: fault.errors }) };
        })
        .then(({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(body));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Nobody but the owner may connect in the moment between bind and chmod.
      const mask = process.umask(0o177);
      server.listen(path, resolve);
      process.umask(mask);
    });
    await chmod(path, 0o600);
    return new ControlSocket(server, path);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    await rm(this.#path, { force: true });
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Fault } from '../fault.ts';
import type { Dispatcher, Outgoing } from './dispatcher.ts';
import { readJsonBody } from './request-body.ts';

const LIST = Buffer.from('LIST ');
const LINK = Buffer.from('LINK ');
const SHUTDOWN_MS = 500;

export interface HttpsListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly dispatcher: Dispatcher;
}

/** TLS, HTTP and nothing of Vault: bytes in, `Incoming` to the dispatcher, bytes out. */
export class HttpsListener {
  readonly #server: Server;
  readonly #atRequestStart = new WeakSet<object>();
  readonly #host: string;

  private constructor(server: Server, host: string) {
    this.#server = server;
    this.#host = host;
  }

  static async listen(options: HttpsListenerOptions): Promise<HttpsListener> {
    const server = createServer({
      cert: options.certificatePem,
      key: options.privateKeyPem,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
    });
    // Clients keep connections for long; a longer wait than theirs avoids resets between two requests.
    server.keepAliveTimeout = 75_000;
    const listener = new HttpsListener(server, options.host);
    server.on('request', (request, response) => void listener.#serve(options.dispatcher, request, response));
    server.on('secureConnection', (socket: TLSSocket) => listener.#acceptList(socket));
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port, options.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return listener;
  }

  get address(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `https://${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${port}`;
  }

  /** Answers what it has, within half a second. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const force = setTimeout(() => this.#server.closeAllConnections(), SHUTDOWN_MS);
    await closed;
    clearTimeout(force);
  }

  /**
   * Vault has a method of its own, LIST, that Node's parser refuses. Of the same length is LINK, which nobody uses
   * here: the first bytes of a request are changed before the parser sees them.
   */
  #acceptList(socket: TLSSocket): void {
    this.#atRequestStart.add(socket);
    socket.prependListener('data', (chunk: Buffer) => {
      if (this.#atRequestStart.delete(socket) && chunk.subarray(0, LIST.length).equals(LIST)) LINK.copy(chunk);
    });
  }

  async #serve(dispatcher: Dispatcher, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let outgoing: Outgoing;
    try {
      const url = request.url ?? '/';
      const at = url.indexOf('?');
      const path = decodePath(at === -1 ? url : url.slice(0, at));
      refuseUnsupported(request);
      const method = request.method === 'LINK' ? 'LIST' : (request.method ?? 'GET');
      outgoing = await dispatcher.serve({
        method,
        path,
        query: new URLSearchParams(at === -1 ? '' : url.slice(at + 1)),
        body: await readJsonBody(request),
        token: tokenOf(request),
        bearer: bearerOf(request),
        remoteAddress: request.socket.remoteAddress ?? '',
      });
    } catch (error) {
      const fault = error instanceof Fault ? error : new Fault('internal', 'internal error', { cause: error });
      outgoing = {
        status: fault.status,
        contentType: 'application/json',
        body: `${JSON.stringify({ errors: fault.errors })}\n`,
      };
      // The rest of a refused body is not worth reading.
      if (!request.complete) response.setHeader('connection', 'close');
    }
    this.#atRequestStart.add(request.socket);
    response.writeHead(outgoing.status, {
      'cache-control': 'no-store',
      ...(outgoing.status === 204
        ? {}
        : { 'content-type': outgoing.contentType, 'content-length': Buffer.byteLength(outgoing.body) }),
    });
    response.end(request.method === 'HEAD' ? undefined : outgoing.body);
  }
}

function decodePath(encoded: string): string {
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    throw new Fault('invalid_request', 'malformed path');
  }
  const segments = path.split('/');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (segments.includes('..') || segments.includes('.') || /[\u0000-\u001f\u007f]/.test(path)) {
    throw new Fault('invalid_request', 'relative paths not supported');
  }
  return path.replace(/^\/(?:v1\/)?/, path.startsWith('/v1/') ? '' : '/');
}

/** What changes the meaning of a request and is not understood must not be passed over. */
function refuseUnsupported({ headers }: IncomingMessage): void {
  const namespace = headers['x-vault-namespace'];
  if (namespace !== undefined && namespace !== '' && namespace !== 'root')
    throw new Fault('invalid_request', 'namespaces are not supported');
  const wrap = headers['x-vault-wrap-ttl'];
  if (wrap !== undefined && wrap !== '' && wrap !== '0')
    throw new Fault('invalid_request', 'response wrapping is not supported');
}

/** Vault's header, or a bearer: Vault takes both. */
function tokenOf(request: IncomingMessage): string | undefined {
  const header = request.headers['x-vault-token'];
  const token = typeof header === 'string' && header !== '' ? header : bearerOf(request);
  return token === undefined || token === '' ? undefined : token;
}

function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

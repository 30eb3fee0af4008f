import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CertificateAuthority } from './certificate-authority.ts';

export interface FaultRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
  /** Of the client's certificate; absent without one. */
  readonly clientFingerprint?: string;
}

export interface FaultVaultOptions {
  readonly authority?: CertificateAuthority;
  readonly port?: number;
  /** When the server's certificate started, in epoch milliseconds; then it ended a second ago. */
  readonly startedAtMs?: number;
  /** Asks clients for a certificate of this CA and refuses those without. */
  readonly clientCaPem?: string;
}

export type FaultHandler = (request: FaultRequest, response: ServerResponse) => void;

/** Answers as a script says: for what no real server does on demand. Over TLS, on a port of its own. */
export class FaultVault {
  readonly requests: FaultRequest[] = [];
  readonly caPem: string;
  readonly address: string;
  /** Runs for every request that has no other handler. */
  handler: FaultHandler = (_request, response) => void reply(response, 404, { errors: [] });
  connections = 0;
  readonly #server: Server;

  private constructor(server: Server, caPem: string) {
    this.#server = server;
    this.caPem = caPem;
    this.address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('secureConnection', () => {
      this.connections += 1;
    });
    server.on('request', (request, response) => void this.#receive(request, response));
  }

  static async listen(options: FaultVaultOptions = {}): Promise<FaultVault> {
    const { authority = CertificateAuthority.create('fault.test'), port = 0, startedAtMs, clientCaPem } = options;
    const issued = authority.issueTlsCertificate({
      ipAddresses: ['127.0.0.1'],
      dnsNames: ['localhost'],
      ttlSeconds: 600,
      ...(startedAtMs === undefined ? {} : { notBeforeMs: startedAtMs, ttlSeconds: -1 }),
    });
    const key = issued.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const client = clientCaPem === undefined ? {} : { requestCert: true, ca: clientCaPem };
    const server = createServer({ cert: issued.certificateChainPem, key, ...client }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new FaultVault(server, authority.certificatePem);
  }

  /** The requests whose path starts so. */
  to(prefix: string): FaultRequest[] {
    return this.requests.filter(({ path }) => path.startsWith(prefix));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #receive(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of message) text += String(chunk);
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    const peer = message.socket instanceof TLSSocket ? message.socket.getPeerCertificate().fingerprint256 : undefined;
    const request = {
      method: message.method ?? '',
      path: message.url ?? '',
      headers: message.headers,
      body,
      ...(peer === undefined ? {} : { clientFingerprint: peer }),
    };
    this.requests.push(request);
    this.handler(request, response);
  }
}

export function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** What lookup-self answers for a token that does not end. */
export function answerLookup(response: ServerResponse, ttl = 0): void {
  reply(response, 200, { request_id: 'r', data: { accessor: 'acc', ttl, renewable: ttl > 0, type: 'service' } });
}

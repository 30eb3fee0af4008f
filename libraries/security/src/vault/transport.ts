import { readFile } from 'node:fs/promises';
import { buildConnector, Pool } from 'undici';
import { type Clock, messageOf } from '../common/index.ts';
import type { ClientCertificate, ClientIdentity } from './client-certificate.ts';
import type { Deadline } from './deadline.ts';
import { Exchange } from './exchange.ts';
import { failureOfTransport, vaultFailure } from './failure.ts';

/** PEM text, or a file that is read anew for each new connection, so that a changed CA needs no restart. */
export type CaSource = string | Buffer | { readonly file: string };

export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** From the leading slash on, already encoded. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  /** For error messages: what is attempted, without secrets. */
  readonly attempted: string;
  readonly deadline: Deadline;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

export interface TransportOptions {
  readonly ca: CaSource | undefined;
  readonly connections: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly maxResponseBytes: number;
  readonly clock: Clock;
  /** Shown to the server at each handshake. */
  readonly identity: ClientIdentity | undefined;
}

/** One round trip at a time over pooled connections to one address: time limits, size limit, no redirect followed. */
export class Transport {
  readonly #origin: string;
  readonly #options: TransportOptions;
  #certificate: ClientCertificate | undefined;
  #pool: Pool;

  constructor(origin: string, options: TransportOptions) {
    this.#origin = origin;
    this.#options = options;
    this.#certificate = options.identity?.getX509Svid();
    this.#pool = this.#openPool();
  }

  /**
   * Whether the client's certificate is another one now. From then on new connections show it; those that show the
   * old one end with the requests they carry. Without a certificate at this moment the old one stays.
   */
  renewCertificate(): boolean {
    const { identity } = this.#options;
    let next: ClientCertificate;
    try {
      if (identity === undefined) return false;
      next = identity.getX509Svid();
    } catch {
      return false;
    }
    if (next.certificateChainPem === this.#certificate?.certificateChainPem) return false;
    const previous = this.#pool;
    this.#certificate = next;
    this.#pool = this.#openPool();
    // What is under way may fail, as it may at any time; its callers hear of it.
    previous.close().catch(() => undefined);
    return true;
  }

  async exchange(request: WireRequest): Promise<WireResponse> {
    const { attempted, deadline } = request;
    deadline.throwIfOver();
    const { clock, maxResponseBytes, requestTimeoutMs } = this.#options;
    const exchange = new Exchange(maxResponseBytes, () =>
      vaultFailure('response-too-large', attempted, `over ${maxResponseBytes} bytes`),
    );
    const timer = clock.setTimer(requestTimeoutMs, () => {
      const rule = `no complete answer within ${requestTimeoutMs} ms`;
      exchange.abort(vaultFailure('timeout', attempted, rule, { phase: 'request' }));
    });
    const stop = deadline.onOver(() => exchange.abort(deadline.reason as Error));
    try {
      const { method, path, headers, body = null } = request;
      this.#pool.dispatch({ method, path, headers, body }, exchange);
      return await exchange.answer;
    } catch (error) {
      deadline.throwIfOver();
      throw failureOfTransport(error, attempted);
    } finally {
      timer.cancel();
      stop();
    }
  }

  async destroy(): Promise<void> {
    await this.#pool.destroy();
  }

  #openPool(): Pool {
    const { connections, headersTimeoutMs, bodyTimeoutMs } = this.#options;
    return new Pool(this.#origin, {
      connections,
      // The limit of the attempt as a whole is the timer of `exchange`.
      headersTimeout: headersTimeoutMs,
      bodyTimeout: bodyTimeoutMs,
      keepAliveTimeout: 30_000,
      maxHeaderSize: 32_768,
      connect: connectorFor(this.#options, this.#certificate),
    });
  }
}

function connectorFor(
  { ca, connectTimeoutMs: timeout }: TransportOptions,
  certificate: ClientCertificate | undefined,
): buildConnector.connector {
  const own =
    certificate === undefined ? {} : { cert: certificate.certificateChainPem, key: certificate.privateKeyPem() };
  if (typeof ca !== 'object' || !('file' in ca)) return buildConnector({ timeout, ...own, ...(ca && { ca }) });
  const { file } = ca;
  let known: { readonly pem: string; readonly connect: buildConnector.connector } | undefined;
  return (options, callback) => {
    readFile(file, 'utf8').then(
      (pem) => {
        if (known?.pem !== pem) known = { pem, connect: buildConnector({ timeout, ...own, ca: pem }) };
        known.connect(options, callback);
      },
      (error) => callback(vaultFailure('tls', 'Reading the CA file', messageOf(error), { maybeExecuted: false }), null),
    );
  };
}

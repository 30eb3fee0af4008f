import { readFile } from 'node:fs/promises';
import { buildConnector, Pool } from 'undici';
import { type Clock, messageOf } from '../common/index.ts';
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
  readonly signal?: AbortSignal | undefined;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

export interface TransportOptions {
  readonly address: URL;
  readonly ca: CaSource | undefined;
  readonly connections: number;
  readonly requestTimeoutMs: number;
  readonly maxResponseBytes: number;
  readonly clock: Clock;
}

/** One round trip at a time over pooled connections: time limit, size limit, no redirect followed. */
export class Transport {
  readonly #pool: Pool;
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#pool = new Pool(options.address.origin, {
      connections: options.connections,
      // The per-attempt timer below is the one time limit.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 30_000,
      maxHeaderSize: 32_768,
      connect: connectorFor(options),
    });
  }

  async exchange(request: WireRequest): Promise<WireResponse> {
    const { attempted, signal } = request;
    signal?.throwIfAborted();
    const { clock, requestTimeoutMs } = this.#options;
    const limit = new AbortController();
    const onAbort = (): void => limit.abort();
    let timedOut = false;
    const timer = clock.setTimer(requestTimeoutMs, () => {
      timedOut = true;
      limit.abort();
    });
    // Combined by hand: what `AbortSignal.any` makes stays attached to a signal that lives as long as the process.
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const response = await this.#pool.request({
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body ?? null,
        signal: limit.signal,
      });
      const body = await this.#readBody(response.body, attempted);
      return { status: response.statusCode, headers: response.headers, body };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (timedOut) throw vaultFailure('timeout', attempted, `no complete answer within ${requestTimeoutMs} ms`);
      throw failureOfTransport(error, attempted);
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #readBody(body: AsyncIterable<Buffer> & { destroy(): unknown }, attempted: string): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > this.#options.maxResponseBytes) {
        body.destroy();
        throw vaultFailure('response-too-large', attempted, `over ${this.#options.maxResponseBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  async destroy(): Promise<void> {
    await this.#pool.destroy();
  }
}

function connectorFor({ ca, requestTimeoutMs }: TransportOptions): buildConnector.connector {
  const timeout = Math.min(5_000, requestTimeoutMs);
  const fixed = typeof ca === 'object' && 'file' in ca ? undefined : buildConnector({ timeout, ...(ca && { ca }) });
  if (fixed !== undefined) return fixed;
  const { file } = ca as { file: string };
  let known: { readonly pem: string; readonly connect: buildConnector.connector } | undefined;
  return (options, callback) => {
    readFile(file, 'utf8').then(
      (pem) => {
        if (known?.pem !== pem) known = { pem, connect: buildConnector({ timeout, ca: pem }) };
        known.connect(options, callback);
      },
      (error) => callback(vaultFailure('tls', 'Reading the CA file', messageOf(error), { maybeExecuted: false }), null),
    );
  };
}

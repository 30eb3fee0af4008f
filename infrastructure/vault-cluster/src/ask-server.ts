import { readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { messageOf } from '@neural-hive/security/common';
import { ClusterError } from './cluster-error.ts';

export interface ServerCall {
  /** Below the address: `/v1/sys/health`. */
  readonly path: string;
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** File with the certificate authority. Default: the system's. */
  readonly ca?: string | undefined;
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

export interface ServerAnswer {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

const TIMEOUT_MS = 30_000;

/**
 * One call without a login, for what a server answers before there are any, and for the API server. Never repeated: the
 * caller knows what may be.
 *
 * @throws ClusterError `no_answer`
 */
export function askServer(address: string, call: ServerCall): Promise<ServerAnswer> {
  const { path, method = 'GET', body, headers = {}, ca, timeoutMs = TIMEOUT_MS } = call;
  const url = new URL(path, address);
  const request = url.protocol === 'http:' ? plainRequest : tlsRequest;
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      const message = `${method} ${url.origin}${url.pathname}: ${messageOf(cause)}`;
      reject(new ClusterError('no_answer', message, { retryable: true, cause }));
    };
    try {
      const outgoing = request(
        url,
        {
          method,
          agent: false,
          timeout: timeoutMs,
          ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
          headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (chunk: string) => {
            text += chunk;
          });
          answer.on('error', fail);
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, fields: fieldsOf(text) }));
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      outgoing.on('error', fail);
      outgoing.end(payload);
    } catch (cause) {
      fail(cause);
    }
  });
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** What the server says is wrong, without anything else of its answer. */
export function reasonOf({ status, fields }: ServerAnswer): string {
  const errors = Array.isArray(fields.errors) ? fields.errors.map(String).join('; ') : fields.message;
  return `${status}${errors === undefined ? '' : ` ${String(errors)}`}`;
}

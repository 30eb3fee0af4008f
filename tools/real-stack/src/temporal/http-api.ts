import { request } from 'node:https';

export interface HttpApiClient {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
}

const ANSWER_LIMIT_MS = 5_000;

/** Calls the HTTP API of Temporal's frontend. Undefined when it does not answer. */
export function callHttpApi(
  { port, ca, cert, key, token }: HttpApiClient,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly text: string } | undefined> {
  return new Promise((resolve) => {
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const options = { host: '127.0.0.1', port, path, method, ca, cert, key, headers, agent: false };
    const outgoing = request({ ...options, timeout: ANSWER_LIMIT_MS }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.on('error', () => resolve(undefined));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(undefined));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

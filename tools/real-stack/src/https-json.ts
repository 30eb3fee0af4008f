import { request } from 'node:https';

export interface JsonRequest {
  /** The authority to trust, in PEM. */
  readonly ca: string;
  /** The caller's own certificate and key, in PEM. */
  readonly identity?: { readonly certificate: string; readonly key: string };
  /** Default GET, or POST when there is a body. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

export interface JsonAnswer {
  readonly status: number;
  readonly text: string;
  /** Undefined when the text is not JSON. */
  readonly json: unknown;
}

/** One HTTPS round trip on a connection of its own, for servers that are spoken to now and then. Rejects when there is no answer. */
export function askJson(url: string, options: JsonRequest): Promise<JsonAnswer> {
  const { ca, identity, headers = {}, body, timeoutMs = 10_000 } = options;
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const { method = payload === undefined ? 'GET' : 'POST' } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        ca,
        method,
        agent: false,
        timeout: timeoutMs,
        ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
        headers: { ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}), ...headers },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, json: parsed(text) }));
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { readFileSync } from 'node:fs';
import { fullJitterMs, messageOf, sleep, systemClock } from '@neural-hive/security/common';
import { Agent, request } from 'undici';
import { TicketFailure } from '../../domain/failure.ts';

export interface KubernetesClientOptions {
  /** Of the API server; `https` only. */
  readonly url: string;
  /** Its CA, PEM. Both files are read anew for each call, since the kubelet replaces them. */
  readonly caFile: string;
  readonly tokenFile: string;
  /** How long a server that does not answer, or says that it cannot now, is asked again. In milliseconds; default 30 000. */
  readonly retryMs?: number;
}

export interface KubernetesCall {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: object;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** What is done, for the failure's message. */
  readonly what: string;
  readonly signal: AbortSignal;
}

export interface KubernetesAnswer {
  readonly status: number;
  readonly text: string;
}

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const LIMIT_MS = 15_000;
const RETRY = { baseMs: 200, capMs: 3_000 };

/** A few calls of the API server, under the service account that the pod has. */
export class KubernetesClient {
  readonly #options: KubernetesClientOptions;
  #trusted: { readonly ca: string; readonly agent: Agent } | undefined;

  /** @throws RangeError for an address that is not `https` */
  constructor(options: KubernetesClientOptions) {
    if (new URL(options.url).protocol !== 'https:') throw new RangeError('url: must be https');
    this.#options = options;
  }

  /**
   * Answers below 400, and those that the caller decides about: 404, 409. Throws a `TicketFailure` for every other:
   * `parameters` for an object that is refused, else `backend`. A call may be sent twice: it names the version that it is
   * about, so that the second one is a conflict.
   */
  async call(call: KubernetesCall): Promise<KubernetesAnswer> {
    const answer = await this.#insist(call);
    const { status } = answer;
    if (status < 400 || status === 404 || status === 409) return answer;
    const { message = '' } = objectIn(answer) as { message?: string };
    const said = `${call.what}: the API server answered ${status}: ${message.slice(0, 1_000)}`;
    throw new TicketFailure(status === 400 || status === 422 ? 'parameters' : 'backend', said);
  }

  /** The object at the path; undefined when there is none. */
  async get(path: string, what: string, signal: AbortSignal): Promise<unknown> {
    const answer = await this.call({ path, what, signal });
    return answer.status === 404 ? undefined : objectIn(answer);
  }

  async close(): Promise<void> {
    await this.#trusted?.agent.close();
  }

  async #insist(call: KubernetesCall): Promise<KubernetesAnswer> {
    const untilMs = systemClock.monotonicMs() + (this.#options.retryMs ?? 30_000);
    for (let failures = 1; ; failures += 1) {
      const last = systemClock.monotonicMs() >= untilMs;
      try {
        const answer = await this.#send(call);
        if (last || (answer.status !== 429 && answer.status < 500)) return answer;
      } catch (error) {
        if (last || call.signal.aborted) throw error;
      }
      await sleep(RETRY.baseMs + fullJitterMs(failures, RETRY), { signal: call.signal });
    }
  }

  async #send({ method = 'GET', path, body, contentType, what, signal }: KubernetesCall): Promise<KubernetesAnswer> {
    try {
      const token = readFileSync(this.#options.tokenFile, 'utf8').trim();
      const answer = await request(new URL(path, this.#options.url), {
        method,
        dispatcher: this.#agent(),
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': contentType ?? 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
      });
      let bytes = 0;
      const parts: Buffer[] = [];
      for await (const part of answer.body) {
        parts.push(part as Buffer);
        bytes += (part as Buffer).length;
        if (bytes > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
      }
      return { status: answer.statusCode, text: Buffer.concat(parts).toString('utf8') };
    } catch (error) {
      signal.throwIfAborted();
      throw new TicketFailure('backend', `${what}: the API server does not answer: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #agent(): Agent {
    const ca = readFileSync(this.#options.caFile, 'utf8');
    if (this.#trusted?.ca !== ca) {
      void this.#trusted?.agent.close();
      this.#trusted = { ca, agent: new Agent({ connect: { ca }, connections: 8 }) };
    }
    return this.#trusted.agent;
  }
}

/** What an answer holds; `{}` when it is no JSON. */
export function objectIn({ text }: KubernetesAnswer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

import { spiffeAgent } from '@neural-hive/security/http';
import type { X509Source } from '@neural-hive/security/spiffe';
import { matchId } from '@neural-hive/security/spiffe';
import { type Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { EXIT, Failure } from '../failure.ts';

const refusal = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    problems: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  }),
});

/** JSON over HTTPS with one service of the platform: both sides show X509-SVIDs, and only `spiffeId` is talked to. */
export class SpiffeHttpClient {
  readonly #agent: Agent;
  readonly #origin: string;
  readonly #what: string;

  constructor(options: { identity: X509Source; spiffeId: string; port: number; what: string }) {
    this.#agent = spiffeAgent({ identity: options.identity, authorize: matchId(options.spiffeId) });
    this.#origin = `https://127.0.0.1:${options.port}`;
    this.#what = options.what;
  }

  async json<T>(method: Dispatcher.HttpMethod, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const response = await this.#request(method, path, body);
    return schema.parse(await response.body.json());
  }

  /** The lines of a stream of JSON values, as they come. */
  async *lines(path: string, signal?: AbortSignal): AsyncGenerator<unknown> {
    const response = await this.#request('GET', path, undefined, signal);
    let rest = '';
    for await (const chunk of response.body.setEncoding('utf8')) {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (part !== '') yield JSON.parse(part) as unknown;
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #request(
    method: Dispatcher.HttpMethod,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      response = await request(`${this.#origin}${path}`, {
        method,
        dispatcher: this.#agent,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        ...(signal === undefined ? {} : { signal, bodyTimeout: 0 }),
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Failure(EXIT.environment, `${this.#what} cannot be reached: ${reason}`, { cause: error });
    }
    if (response.statusCode < 400) return response;
    throw failureOf(this.#what, response.statusCode, await response.body.text());
  }
}

function failureOf(what: string, status: number, text: string): Failure {
  let parsed: z.ZodSafeParseResult<z.infer<typeof refusal>> | undefined;
  try {
    parsed = refusal.safeParse(JSON.parse(text));
  } catch {
    parsed = undefined;
  }
  const error = parsed?.success ? parsed.data.error : undefined;
  const details = error?.problems?.map(({ path, message }) => `${path}: ${message}`) ?? [];
  const exitCode = status === 401 || status === 403 ? EXIT.refused : status < 500 ? EXIT.badInput : EXIT.environment;
  return new Failure(exitCode, error?.message ?? `${what} answered ${status}.`, { details });
}

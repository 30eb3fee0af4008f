import type { Clock, Secret } from '../common/index.ts';
import { encodePath } from './address.ts';
import { errorTextsOf, parseBody, parseEnvelope, type VaultEnvelope } from './envelope.ts';
import { isVaultError, type VaultError } from './errors.ts';
import { failureOfStatus, parseRetryAfterMs, vaultFailure } from './failure.ts';
import type { VaultMetrics } from './observe.ts';
import type { Resilience } from './resilience.ts';
import type { Transport, WireRequest, WireResponse } from './transport.ts';

export type VaultMethod = 'GET' | 'LIST' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One call, complete but for the token. */
export interface VaultCall {
  readonly method: VaultMethod;
  /** Below `/v1/`, without a leading slash; each segment is encoded. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** The metrics label: a template such as `kv.read`, never a path. */
  readonly operation?: string;
  /**
   * Whether it may run twice without harm, and so be repeated after a lost answer. By default true for GET and LIST
   * outside `creds/` paths (reading those creates a lease), false for everything else.
   */
  readonly safe?: boolean;
}

export interface DispatchOptions {
  readonly transport: Transport;
  readonly resilience: Resilience;
  readonly clock: Clock;
  readonly origin: string;
  readonly namespace: string | undefined;
  readonly metrics: VaultMetrics | undefined;
}

/** Paths that are the same in every namespace; servers refuse some of them with the header. */
const WITHOUT_NAMESPACE = /^sys\/(health|seal-status|init|unseal|leader)$/;

const USER_AGENT = 'neural-hive-security';

export function isSafe({ method, path, safe }: VaultCall): boolean {
  return safe ?? ((method === 'GET' || method === 'LIST') && !path.split('/').includes('creds'));
}

/** Turns calls into requests and answers into envelopes or `VaultError`s. Knows no token of its own. */
export class Dispatcher {
  readonly #options: DispatchOptions;

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  /** Sends, repeats where that is safe, and counts. */
  async send(
    call: VaultCall,
    token: Secret<string> | undefined,
    options: { bypassBreaker?: boolean; acceptStatus?: (status: number) => boolean } = {},
  ): Promise<VaultEnvelope> {
    const { clock, metrics, resilience } = this.#options;
    const request = this.#requestOf(call, token);
    const { attempted } = request;
    const startedAtMs = clock.monotonicMs();
    let status = 'success';
    try {
      return await resilience.run(
        { safe: isSafe(call), bypassBreaker: options.bypassBreaker ?? false, attempted, signal: call.signal },
        async () => this.#interpret(await this.#exchange(request), attempted, options.acceptStatus),
      );
    } catch (error) {
      status = isVaultError(error) ? error.code : 'aborted';
      throw error;
    } finally {
      metrics?.request(call.operation ?? 'request', status, clock.monotonicMs() - startedAtMs);
    }
  }

  #requestOf(call: VaultCall, token: Secret<string> | undefined): WireRequest {
    const { method, path, query, body } = call;
    const { namespace } = this.#options;
    // Proxies drop the verb LIST; the query form means the same.
    const search = new URLSearchParams(method === 'LIST' ? { ...query, list: 'true' } : query).toString();
    return {
      method: method === 'LIST' ? 'GET' : method,
      path: `/v1/${encodePath(path)}${search === '' ? '' : `?${search}`}`,
      attempted: `${method} ${path}`,
      headers: {
        'user-agent': USER_AGENT,
        accept: 'application/json',
        'x-vault-request': 'true',
        ...(body === undefined
          ? {}
          : { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
        ...(namespace === undefined || WITHOUT_NAMESPACE.test(path) ? {} : { 'x-vault-namespace': namespace }),
        ...(token === undefined ? {} : { 'x-vault-token': token.reveal() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: call.signal,
    };
  }

  async #exchange(request: WireRequest): Promise<WireResponse> {
    const { transport } = this.#options;
    const response = await transport.exchange(request);
    if (response.status < 300 || response.status >= 400) return response;
    const again = await transport.exchange({ ...request, path: this.#sameOriginPath(response, request) });
    if (again.status < 300 || again.status >= 400) return again;
    throw vaultFailure('redirect-refused', request.attempted, 'the server redirects more than once');
  }

  /** One redirect inside the origin is followed. The token goes to no other host, whatever the server says. */
  #sameOriginPath({ status, headers }: WireResponse, { attempted, path }: WireRequest): string {
    const { location } = headers;
    const { origin } = this.#options;
    const target =
      typeof location === 'string' && URL.canParse(location, origin) ? new URL(location, origin) : undefined;
    if (target === undefined || ![301, 302, 307, 308].includes(status)) {
      throw vaultFailure('bad-response', attempted, `the server answered ${status} without a usable location`);
    }
    const next = target.pathname + target.search;
    if (target.origin === origin && next !== path) return next;
    throw vaultFailure('redirect-refused', attempted, `the server redirects to ${target.origin}`, { status });
  }

  #interpret(response: WireResponse, attempted: string, accept?: (status: number) => boolean): VaultEnvelope {
    const { status, headers } = response;
    if (status < 300 || accept?.(status)) return parseEnvelope(status, parseBody(response.body, attempted), attempted);
    throw errorOf(status, headers, response.body, attempted);
  }
}

function errorOf(status: number, headers: WireResponse['headers'], text: string, attempted: string): VaultError {
  let errors: string[] = [];
  let requestId: string | undefined;
  try {
    const body = parseBody(text, attempted);
    errors = errorTextsOf(body);
    requestId = typeof body.request_id === 'string' ? body.request_id : undefined;
  } catch {
    // A proxy in front answers in HTML; the status says enough.
  }
  return failureOfStatus(status, errors, attempted, {
    requestId,
    retryAfterMs: parseRetryAfterMs(headers['retry-after']),
  });
}

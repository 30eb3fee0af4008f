import type { Clock, Secret } from '../common/index.ts';
import { encodePath } from './address.ts';
import { ConsistencyIndex, INDEX_HEADER } from './consistency-index.ts';
import { Deadline } from './deadline.ts';
import { errorTextsOf, parseBody, parseEnvelope, type VaultEnvelope } from './envelope.ts';
import { isVaultError, type VaultError } from './errors.ts';
import { failureOfStatus, parseRetryAfterMs, vaultFailure } from './failure.ts';
import type { Logger, VaultMetrics } from './observe.ts';
import type { Resilience } from './resilience.ts';
import type { ServerNode } from './server-node.ts';
import type { WireRequest, WireResponse } from './transport.ts';

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
  /** Never sent a second time, whatever happens: for what the server takes once, such as a wrapping token. */
  readonly once?: boolean;
  /** Has the answer wrapped for so long: it holds `wrapInfo` instead of data. In whole seconds. */
  readonly wrapTtlSeconds?: number;
  /** For the whole call, repetitions and waits included. In milliseconds; default `callTimeoutMs` of the client. */
  readonly timeoutMs?: number;
}

export interface DispatchOptions {
  /** The configured address. */
  readonly node: ServerNode;
  /** The node of another address, for those to which a standby may redirect. */
  readonly redirectNode: (origin: string) => ServerNode | undefined;
  readonly resilience: Resilience;
  readonly clock: Clock;
  readonly namespace: string | undefined;
  readonly callTimeoutMs: number;
  readonly metrics: VaultMetrics | undefined;
  readonly logger: Logger;
}

export interface SendOptions {
  /** Renewals and logins have a backoff of their own: an open breaker must not let healthy credentials die. */
  readonly bypassBreaker?: boolean;
  readonly acceptStatus?: (status: number) => boolean;
}

/** Paths that are the same in every namespace; servers refuse some of them with the header. */
const WITHOUT_NAMESPACE = /^sys\/(health|seal-status|init|unseal|leader)$/;

/** Reading there makes a lease. */
const CREATES_LEASE = /(?:^|\/)creds(?:\/|$)/;

const USER_AGENT = 'neural-hive-security';

export function isSafe({ method, path, safe }: VaultCall): boolean {
  return safe ?? ((method === 'GET' || method === 'LIST') && !CREATES_LEASE.test(path));
}

/** Where a redirect leads. */
interface Redirect {
  readonly node: ServerNode;
  readonly path: string;
}

/** Turns calls into requests and answers into envelopes or `VaultError`s. Knows no token of its own. */
export class Dispatcher {
  readonly #options: DispatchOptions;
  readonly #index = new ConsistencyIndex();

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  /** Sends, repeats where that is safe, and counts. */
  async send(call: VaultCall, token: Secret<string> | undefined, options: SendOptions = {}): Promise<VaultEnvelope> {
    const { clock, metrics, resilience, callTimeoutMs, logger } = this.#options;
    const attempted = `${call.method} ${call.path}`;
    const limitMs = limitOf(call, callTimeoutMs);
    const deadline = new Deadline(clock, limitMs, attempted, call.signal);
    const { operation = 'request', once = false } = call;
    const startedAtMs = clock.monotonicMs();
    let status = 'success';
    try {
      const request = this.#requestOf(call, token, attempted, deadline);
      const envelope = await resilience.run({ safe: isSafe(call), once, deadline }, () =>
        this.#attempt(this.#withIndex(request), options),
      );
      logger.debug({ operation, requestId: envelope.requestId }, 'Vault answered');
      return envelope;
    } catch (error) {
      status = isVaultError(error) ? error.code : 'aborted';
      throw error;
    } finally {
      deadline.clear();
      metrics?.request(operation, status, clock.monotonicMs() - startedAtMs);
    }
  }

  #requestOf(call: VaultCall, token: Secret<string> | undefined, attempted: string, deadline: Deadline): WireRequest {
    const { method, path, query, body, wrapTtlSeconds } = call;
    const { namespace } = this.#options;
    // Proxies drop the verb LIST; the query form means the same.
    const parameters = method === 'LIST' ? { ...query, list: 'true' } : query;
    const search = parameters === undefined ? '' : `?${new URLSearchParams(parameters)}`;
    const headers: Record<string, string> = {
      'user-agent': USER_AGENT,
      'x-vault-request': 'true',
    };
    if (body !== undefined) {
      headers['content-type'] = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    }
    if (namespace !== undefined && !WITHOUT_NAMESPACE.test(path)) headers['x-vault-namespace'] = namespace;
    if (wrapTtlSeconds !== undefined) headers['x-vault-wrap-ttl'] = `${wrapTtlSeconds}s`;
    if (token !== undefined) headers['x-vault-token'] = token.reveal();
    return {
      method: method === 'LIST' ? 'GET' : method,
      path: `/v1/${encodePath(path)}${search}`,
      attempted,
      deadline,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
  }

  /** Asks for at least the state that this client has seen; a node that is behind answers 412. */
  #withIndex(request: WireRequest): WireRequest {
    const { value } = this.#index;
    return value === undefined ? request : { ...request, headers: { ...request.headers, [INDEX_HEADER]: value } };
  }

  async #attempt(request: WireRequest, options: SendOptions): Promise<VaultEnvelope> {
    const { node } = this.#options;
    const first = await this.#ask(node, request, options);
    if (!('node' in first)) return first;
    const again = await this.#ask(first.node, { ...request, path: first.path }, options);
    if (!('node' in again)) return again;
    throw vaultFailure('redirect-refused', request.attempted, 'the server redirects more than once');
  }

  /** One exchange with one address, which its breaker hears of. */
  #ask(node: ServerNode, request: WireRequest, options: SendOptions): Promise<VaultEnvelope | Redirect> {
    const work = async (): Promise<VaultEnvelope | Redirect> => {
      const response = await node.transport.exchange(request);
      this.#index.note(response.headers[INDEX_HEADER]);
      if (response.status >= 300 && response.status < 400) return this.#redirectOf(response, request, node);
      return interpret(response, request.attempted, options.acceptStatus);
    };
    return options.bypassBreaker ? work() : node.breaker.guard(request.attempted, work);
  }

  /**
   * One redirect is followed, inside the origin or to an address that the client was told of. The token goes to no
   * other host, whatever the server says.
   */
  #redirectOf({ status, headers }: WireResponse, { attempted, path }: WireRequest, from: ServerNode): Redirect {
    const { location } = headers;
    const { origin } = from;
    const target =
      typeof location === 'string' && URL.canParse(location, origin) ? new URL(location, origin) : undefined;
    if (target === undefined || ![301, 302, 307, 308].includes(status)) {
      throw vaultFailure('bad-response', attempted, `the server answered ${status} without a usable location`);
    }
    const next = target.pathname + target.search;
    const node = target.origin === origin ? from : this.#options.redirectNode(target.origin);
    if (node !== undefined && (node !== from || next !== path)) return { node, path: next };
    throw vaultFailure('redirect-refused', attempted, `the server redirects to ${target.origin}`, { status });
  }
}

function limitOf({ timeoutMs, wrapTtlSeconds }: VaultCall, fallbackMs: number): number {
  if (wrapTtlSeconds !== undefined && (!Number.isInteger(wrapTtlSeconds) || wrapTtlSeconds < 1)) {
    throw new RangeError('wrapTtlSeconds: must be a whole number from 1');
  }
  if (timeoutMs === undefined) return fallbackMs;
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1) return timeoutMs;
  throw new RangeError('timeoutMs: must be a whole number from 1');
}

function interpret(response: WireResponse, attempted: string, accept?: (status: number) => boolean): VaultEnvelope {
  const { status, headers } = response;
  if (status < 300 || accept?.(status)) return parseEnvelope(status, parseBody(response.body, attempted), attempted);
  throw errorOf(status, headers, response.body, attempted);
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

import { type CallOptions, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { type Clock, type Random, systemClock } from '../../common/index.ts';
import type { JwtBundle } from '../bundle/jwt/jwt-bundle.ts';
import type { X509Bundle } from '../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { SpiffeId } from '../spiffe-id.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import { endpointTarget } from './endpoint.ts';
import { type JWTSVIDResponse, SpiffeWorkloadAPIClient, type ValidateJWTSVIDResponse } from './gen/spiffe/workload.ts';
import { readJwtBundles, readJwtSvids, readX509Bundles, readX509Context, type X509Context } from './responses.ts';
import { workloadApiError } from './status.ts';
import { type WatchHandler, type WatchLoop, watchStream } from './watch.ts';

export interface WorkloadApiClientOptions {
  /** `unix:///path` or `tcp://ip:port`. Default: `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string | undefined;
  /** For one unary call. In milliseconds; default 10 000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface CallControl {
  readonly signal?: AbortSignal | undefined;
}

export interface WatchControl {
  readonly signal: AbortSignal;
}

const CHANNEL_OPTIONS = {
  // The defaults wait up to 120 s before they try an agent again that has come back.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // Each client has its own connection: sharing one would share its backoff.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.default_authority': 'localhost',
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.enable_http_proxy': 0,
} as const;

/** E-02: on every call, with exactly this one value. */
function securityHeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('workload.spiffe.io', 'true');
  return metadata;
}

/** Speaks to the SPIFFE Workload API of the local agent. `fetch` is one round trip, `watch` goes on until aborted. */
export class WorkloadApiClient {
  readonly #stub: SpiffeWorkloadAPIClient;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #closed = new AbortController();

  constructor(options: WorkloadApiClientOptions = {}) {
    const { timeoutMs = 10_000, clock = systemClock, random = Math.random } = options;
    if (!(timeoutMs > 0)) throw new RangeError('timeoutMs: must be above 0');
    this.#stub = new SpiffeWorkloadAPIClient(
      endpointTarget(options.endpoint),
      credentials.createInsecure(),
      CHANNEL_OPTIONS,
    );
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#random = random;
  }

  /** The newest SVIDs and bundles. */
  async fetchX509Context(options: CallControl = {}): Promise<X509Context> {
    return this.#first('FetchX509SVID', () => this.#stub.fetchX509Svid({}, securityHeader()), readX509Context, options);
  }

  watchX509Context(handler: WatchHandler<X509Context>, options: WatchControl): Promise<void> {
    const open = () => this.#stub.fetchX509Svid({}, securityHeader());
    return this.#watch({ ...options, ...handlerOf(handler), call: 'FetchX509SVID', open, parse: readX509Context });
  }

  async fetchX509Bundles(options: CallControl = {}): Promise<ReadonlyMap<string, X509Bundle>> {
    const open = () => this.#stub.fetchX509Bundles({}, securityHeader());
    return this.#first('FetchX509Bundles', open, readX509Bundles, options);
  }

  watchX509Bundles(handler: WatchHandler<ReadonlyMap<string, X509Bundle>>, options: WatchControl): Promise<void> {
    const open = () => this.#stub.fetchX509Bundles({}, securityHeader());
    return this.#watch({ ...options, ...handlerOf(handler), call: 'FetchX509Bundles', open, parse: readX509Bundles });
  }

  /** Tokens for the audiences, one for each of the workload's identities, or the one of `subject`. */
  async fetchJwtSvids(
    request: { readonly audience: readonly string[]; readonly subject?: SpiffeId | string | undefined },
    options: CallControl = {},
  ): Promise<readonly [JwtSvid, ...JwtSvid[]]> {
    const { audience, subject } = request;
    if (audience.length === 0) throw new TypeError('audience: at least one is needed');
    const response = await this.#unary<JWTSVIDResponse>('FetchJWTSVID', options, (call, done) =>
      this.#stub.fetchJwtsvid(
        { audience: [...audience], spiffeId: subject?.toString() ?? '' },
        securityHeader(),
        call,
        done,
      ),
    );
    return readJwtSvids(response, audience);
  }

  async fetchJwtBundles(options: CallControl = {}): Promise<ReadonlyMap<string, JwtBundle>> {
    return this.#first(
      'FetchJWTBundles',
      () => this.#stub.fetchJwtBundles({}, securityHeader()),
      readJwtBundles,
      options,
    );
  }

  watchJwtBundles(handler: WatchHandler<ReadonlyMap<string, JwtBundle>>, options: WatchControl): Promise<void> {
    const open = () => this.#stub.fetchJwtBundles({}, securityHeader());
    return this.#watch({ ...options, ...handlerOf(handler), call: 'FetchJWTBundles', open, parse: readJwtBundles });
  }

  /** Lets the agent judge a token. Claims may be filtered by it. Resolves with the subject. */
  async validateJwtSvid(
    request: { readonly token: string; readonly audience: string },
    options: CallControl = {},
  ): Promise<{ id: SpiffeId; claims: Readonly<Record<string, unknown>> }> {
    const response = await this.#unary<ValidateJWTSVIDResponse>('ValidateJWTSVID', options, (call, done) =>
      this.#stub.validateJwtsvid({ audience: request.audience, svid: request.token }, securityHeader(), call, done),
    );
    return { id: SpiffeId.parse(response.spiffeId), claims: response.claims ?? {} };
  }

  /** Ends every call. Idempotent. */
  close(): void {
    this.#closed.abort(new SpiffeError('SOURCE_CLOSED', 'The Workload API client is closed'));
    this.#stub.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #unary<Response>(
    name: string,
    { signal }: CallControl,
    start: (options: CallOptions, done: (error: ServiceError | null, response: Response) => void) => { cancel(): void },
  ): Promise<Response> {
    const ended = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
    ended.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => call.cancel();
      const done = (error: ServiceError | null, response: Response): void => {
        ended.removeEventListener('abort', onAbort);
        if (error === null) resolve(response);
        else reject(ended.aborted ? ended.reason : workloadApiError(name, error));
      };
      // gRPC measures deadlines on the system's clock, whichever one was injected.
      const call = start({ deadline: systemClock.now() + this.#timeoutMs }, done);
      ended.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The first message of a stream, which is then given up. */
  async #first<Message, T>(
    call: string,
    open: WatchLoop<Message, T>['open'],
    parse: (message: Message) => T,
    { signal }: CallControl,
  ): Promise<T> {
    const stop = new AbortController();
    const timer = this.#clock.setTimer(this.#timeoutMs, () => stop.abort());
    let found: { value: T } | undefined;
    let failure: SpiffeError | undefined;
    const until = AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
    const update = (value: T): void => {
      found = { value };
      stop.abort();
    };
    const error = (problem: SpiffeError): void => {
      failure = problem;
      stop.abort();
    };
    try {
      await this.#watch({ call, open, parse, update, error, signal: until });
    } finally {
      timer.cancel();
    }
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    if (found !== undefined) return found.value;
    throw failure ?? new SpiffeError('WORKLOAD_API_UNAVAILABLE', `${call}: no answer in time`, { retryable: true });
  }

  async #watch<Message, T>(loop: Omit<WatchLoop<Message, T>, 'clock' | 'random'>): Promise<void> {
    const signal = AbortSignal.any([loop.signal, this.#closed.signal]);
    await watchStream({ ...loop, signal, clock: this.#clock, random: this.#random });
  }
}

function handlerOf<T>(handler: WatchHandler<T>): WatchHandler<T> {
  return {
    update: (value) => handler.update(value),
    error: (error) => handler.error?.(error),
  };
}

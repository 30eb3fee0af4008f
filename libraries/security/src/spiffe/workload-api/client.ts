import { type CallOptions, type ClientReadableStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { type Clock, type Random, systemClock } from '../../common/index.ts';
import type { JwtBundle } from '../bundle/jwt/jwt-bundle.ts';
import type { X509Bundle } from '../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { SpiffeId } from '../spiffe-id.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import { endpointTarget } from './endpoint.ts';
import {
  type JWTBundlesResponse,
  type JWTSVIDResponse,
  SpiffeWorkloadAPIClient,
  type ValidateJWTSVIDResponse,
  type X509BundlesResponse,
  type X509SVIDResponse,
} from './gen/spiffe/workload.ts';
import { readJwtBundles, readJwtSvids, readX509Bundles, readX509Context, type X509Context } from './responses.ts';
import { workloadApiError } from './status.ts';
import { type WatchHandler, watchStream } from './watch.ts';

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

/** A streaming call of the Workload API and how its messages are read. */
export interface StreamCall<Message, T> {
  /** For error texts. */
  readonly name: string;
  open(stub: SpiffeWorkloadAPIClient, metadata: Metadata): ClientReadableStream<Message>;
  /** Throws when the message is to be discarded. */
  parse(message: Message): T;
}

const X509_CONTEXT: StreamCall<X509SVIDResponse, X509Context> = {
  name: 'FetchX509SVID',
  open: (stub, metadata) => stub.fetchX509Svid({}, metadata),
  parse: readX509Context,
};

const X509_BUNDLES: StreamCall<X509BundlesResponse, ReadonlyMap<string, X509Bundle>> = {
  name: 'FetchX509Bundles',
  open: (stub, metadata) => stub.fetchX509Bundles({}, metadata),
  parse: readX509Bundles,
};

const JWT_BUNDLES: StreamCall<JWTBundlesResponse, ReadonlyMap<string, JwtBundle>> = {
  name: 'FetchJWTBundles',
  open: (stub, metadata) => stub.fetchJwtBundles({}, metadata),
  parse: readJwtBundles,
};

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
  fetchX509Context(options: CallControl = {}): Promise<X509Context> {
    return this.fetchFirst(X509_CONTEXT, options);
  }

  watchX509Context(handler: WatchHandler<X509Context>, options: WatchControl): Promise<void> {
    return this.watch(X509_CONTEXT, handler, options);
  }

  /** By trust domain name, the own one and the federated ones. */
  fetchX509Bundles(options: CallControl = {}): Promise<ReadonlyMap<string, X509Bundle>> {
    return this.fetchFirst(X509_BUNDLES, options);
  }

  watchX509Bundles(handler: WatchHandler<ReadonlyMap<string, X509Bundle>>, options: WatchControl): Promise<void> {
    return this.watch(X509_BUNDLES, handler, options);
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

  fetchJwtBundles(options: CallControl = {}): Promise<ReadonlyMap<string, JwtBundle>> {
    return this.fetchFirst(JWT_BUNDLES, options);
  }

  watchJwtBundles(handler: WatchHandler<ReadonlyMap<string, JwtBundle>>, options: WatchControl): Promise<void> {
    return this.watch(JWT_BUNDLES, handler, options);
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

  /** The first message of a stream, which is then given up. For calls that have no method here. @internal */
  async fetchFirst<Message, T>(call: StreamCall<Message, T>, { signal }: CallControl): Promise<T> {
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
      await this.watch(call, { update, error }, { signal: until });
    } finally {
      timer.cancel();
    }
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    if (found !== undefined) return found.value;
    throw (
      failure ?? new SpiffeError('WORKLOAD_API_UNAVAILABLE', `${call.name}: no answer in time`, { retryable: true })
    );
  }

  /** Follows a stream until aborted. For calls that have no method here. @internal */
  async watch<Message, T>(
    call: StreamCall<Message, T>,
    handler: WatchHandler<T>,
    options: WatchControl,
  ): Promise<void> {
    await watchStream({
      call: call.name,
      open: () => call.open(this.#stub, securityHeader()),
      parse: (message: Message) => call.parse(message),
      update: (value) => handler.update(value),
      error: (error) => handler.error?.(error),
      clock: this.#clock,
      random: this.#random,
      signal: AbortSignal.any([options.signal, this.#closed.signal]),
    });
  }
}

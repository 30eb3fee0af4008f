import {
  type CallOptions,
  Client,
  type ClientOptions,
  Metadata,
  Server,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { matchAny } from '../../../spiffe/index.ts';
import { CertificateAuthority } from '../../../testing/certificate-authority.ts';
import { FixedIdentity } from '../../../testing/fixed-identity.ts';
import { type SpiffeChannelOptions, spiffeChannelCredentials } from '../channel-credentials.ts';
import { type ListenSpiffeOptions, listenSpiffe, type SpiffeListener } from '../listen-spiffe.ts';

export const SERVER_ID = 'spiffe://example.org/server';
export const CLIENT_ID = 'spiffe://example.org/client';
export const OTHER_ID = 'spiffe://example.org/other';

const text = { serialize: (value: string) => Buffer.from(value), deserialize: (bytes: Buffer) => bytes.toString() };

function method(path: string, responseStream: boolean) {
  return {
    path,
    requestStream: false as const,
    responseStream,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  };
}

export const ECHO = method('/test.Echo/Say', false);
export const COUNT = method('/test.Echo/Count', true);
/** Served, and in nobody's table. */
export const HIDDEN = method('/test.Echo/Hidden', false);
export const HEALTH = method('/grpc.health.v1.Health/Check', false);
/** Another service's method with the name of an exception. */
export const FALSE_HEALTH = method('/test.Echo/Check', false);

export interface EchoOptions {
  readonly interceptors?: ServerInterceptor[];
  /** What a handler says, beside what it was asked. */
  readonly answer?: (call: ServerUnaryCall<string, string> | ServerWritableStream<string, string>) => string;
  readonly listen?: Partial<ListenSpiffeOptions>;
}

/** A gRPC server behind `listenSpiffe`, with its authority, and clients to it. */
export class EchoService {
  readonly authority = CertificateAuthority.create('example.org');
  readonly identity = FixedIdentity.issue(this.authority, SERVER_ID);
  readonly clientIdentity = FixedIdentity.issue(this.authority, CLIENT_ID);
  /** How often a handler ran. */
  handled = 0;
  /** What a call of `Hold` waits for. */
  hold: Promise<void> = Promise.resolve();
  readonly #clients: Client[] = [];
  #server: Server | undefined;
  #listener: SpiffeListener | undefined;

  async open(options: EchoOptions = {}): Promise<this> {
    const server = new Server(options.interceptors === undefined ? {} : { interceptors: options.interceptors });
    const { answer = (call) => call.request } = options;
    const unary = (call: ServerUnaryCall<string, string>, callback: (error: null, value: string) => void) => {
      this.handled += 1;
      this.hold.then(() => callback(null, answer(call)));
    };
    const stream = (call: ServerWritableStream<string, string>) => {
      this.handled += 1;
      for (const value of ['1', '2', answer(call)]) call.write(value);
      call.end();
    };
    server.addService(
      { say: ECHO, count: COUNT, hidden: HIDDEN, health: HEALTH, falseHealth: FALSE_HEALTH },
      { say: unary, count: stream, hidden: unary, health: unary, falseHealth: unary },
    );
    this.#server = server;
    this.#listener = await listenSpiffe(server, {
      identity: this.identity,
      authorize: matchAny(),
      host: '127.0.0.1',
      port: 0,
      ...options.listen,
    });
    return this;
  }

  get listener(): SpiffeListener {
    if (this.#listener === undefined) throw new TypeError('open() comes first');
    return this.#listener;
  }

  client(channel: Partial<SpiffeChannelOptions> = {}, options: Partial<ClientOptions> = {}): Client {
    return this.clientTo(this.listener.port, channel, options);
  }

  /** A client of another server on this machine. */
  clientTo(port: number, channel: Partial<SpiffeChannelOptions> = {}, options: Partial<ClientOptions> = {}): Client {
    const credentials = spiffeChannelCredentials({
      identity: this.clientIdentity,
      authorize: matchAny(),
      ...channel,
    });
    const client = new Client(`127.0.0.1:${port}`, credentials, {
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  tokenOf(request: Partial<Parameters<CertificateAuthority['issueJwtSvid']>[0]> = {}): string {
    return this.authority.issueJwtSvid({ id: CLIENT_ID, audience: 'echo', ttlSeconds: 60, ...request });
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#listener?.destroy();
    this.#server?.forceShutdown();
  }
}

export interface Outcome {
  readonly code: status;
  readonly details: string;
  readonly values: readonly string[];
}

export function authorization(...values: string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add('authorization', value);
  return metadata;
}

export interface CallRequest {
  readonly method?: typeof ECHO;
  readonly metadata?: Metadata;
  readonly value?: string;
  readonly options?: CallOptions;
}

/** How a call ended, whichever way it did. */
export function outcomeOf(client: Client, request: CallRequest = {}): Promise<Outcome> {
  const { method: called = ECHO, metadata = new Metadata(), value = 'hello', options = {} } = request;
  const { path, requestSerialize, responseDeserialize } = called;
  const withDeadline = { deadline: Date.now() + 5_000, ...options };
  return new Promise((resolve) => {
    const values: string[] = [];
    const failed = ({ code, details }: ServiceError): void => resolve({ code, details, values });
    if (called.responseStream) {
      const stream = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        value,
        metadata,
        withDeadline,
      );
      stream.on('data', (one: string) => values.push(one));
      stream.on('error', (error) => failed(error as ServiceError));
      stream.on('end', () => resolve({ code: status.OK, details: '', values }));
      return;
    }
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, value, metadata, withDeadline, (error, one) =>
      error === null ? resolve({ code: status.OK, details: '', values: [one ?? ''] }) : failed(error),
    );
  });
}

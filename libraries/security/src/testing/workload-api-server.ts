import { chmodSync, chownSync, rmSync } from 'node:fs';
import { Server, ServerCredentials, type ServerWritableStream, type ServiceError, status } from '@grpc/grpc-js';
import { assertSocketPath, sleep, systemClock } from '../common/index.ts';
import { SpiffeError, verifyJwtSvid } from '../spiffe/index.ts';
import type {
  JWTBundlesResponse,
  JWTSVIDRequest,
  JWTSVIDResponse,
  SpiffeWorkloadAPIServer,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponse,
  WITSVIDRequest,
  WITSVIDResponse,
  X509BundlesResponse,
  X509SVIDResponse,
} from '../spiffe/workload-api/gen/spiffe/workload.ts';
import { SpiffeWorkloadAPIService } from '../spiffe/workload-api/gen/spiffe/workload.ts';
import type { WitIssuer } from './wit-issuer.ts';
import type { WorkloadIssuer } from './workload-issuer.ts';

/** What the server does wrong on purpose, read anew for each call. */
export interface WorkloadApiFaults {
  /** Before each answer. In milliseconds. */
  delayMs?: number;
  /** Every call fails with this gRPC status. */
  fail?: { readonly code: status; readonly details?: string };
  /** X509-SVID messages go through this before they are sent. */
  spoilX509?: (response: X509SVIDResponse) => X509SVIDResponse;
}

export interface WorkloadApiServerOptions {
  readonly issuer: WorkloadIssuer;
  /** Absolute, at most 103 bytes. One socket is one workload: whoever can connect has its identities. */
  readonly path: string;
  /** SPIFFE IDs of the workload, the default one first. None: every call is denied. */
  readonly ids: readonly string[];
  /** Permission bits of the socket; default 0o600. */
  readonly mode?: number;
  /** Owner and group of the socket; only root can give a socket away. */
  readonly uid?: number;
  readonly gid?: number;
  readonly faults?: WorkloadApiFaults;
  /** Serves WIT-SVIDs too. Default: their calls are unimplemented, as with SPIRE's agent. */
  readonly wit?: WitIssuer;
}

type Stream<Response> = ServerWritableStream<unknown, Response>;

/** The SPIFFE Workload API on a Unix socket, over real gRPC. The development authority serves it with this class. */
export class WorkloadApiServer {
  readonly path: string;
  readonly #options: WorkloadApiServerOptions;
  readonly #server = new Server();
  /** Streams that are open, each with what sends it the present state. */
  readonly #streams = new Map<Stream<unknown>, { readonly carriesSvids: boolean; send(): void }>();
  readonly #stopListening: () => void;
  #ids: readonly string[];

  private constructor(options: WorkloadApiServerOptions) {
    this.#options = options;
    this.path = options.path;
    this.#ids = options.ids;
    this.#server.addService(SpiffeWorkloadAPIService, this.#handlers());
    this.#stopListening = options.issuer.onChange((id) => this.#push(id));
  }

  /** Replaces a socket file that is there: an agent does so at its start. */
  static async listen(options: WorkloadApiServerOptions): Promise<WorkloadApiServer> {
    assertSocketPath(options.path);
    rmSync(options.path, { force: true });
    const server = new WorkloadApiServer(options);
    const { path, mode = 0o600, uid, gid } = options;
    // Nobody but those in `mode` may connect, not even in the moment before the chmod.
    const mask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
          error === null ? resolve() : reject(error),
        );
      });
    } finally {
      process.umask(mask);
    }
    if (uid !== undefined || gid !== undefined) chownSync(path, uid ?? -1, gid ?? -1);
    chmodSync(path, mode);
    return server;
  }

  get endpoint(): string {
    return `unix://${this.path}`;
  }

  /** Takes or gives identities, as a changed registration does. Without any, open streams are denied. */
  setIds(ids: readonly string[]): void {
    this.#ids = ids;
    if (ids.length > 0) this.#push(undefined);
    else for (const stream of [...this.#streams.keys()]) stream.emit('error', denied());
  }

  /** Ends every stream, as a network fault does; the server goes on. */
  dropStreams(): void {
    for (const [stream] of this.#streams) stream.end();
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#stopListening();
    this.#server.forceShutdown();
    rmSync(this.path, { force: true });
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #push(id: string | undefined): void {
    for (const { carriesSvids, send } of this.#streams.values()) {
      if (id === undefined || (carriesSvids && this.#ids.includes(id))) send();
    }
  }

  #handlers(): SpiffeWorkloadAPIServer {
    return {
      fetchX509Svid: (call) => this.#serve(call, () => this.#x509Response(), true),
      fetchX509Bundles: (call) =>
        this.#serve(call, () => ({ crl: [], bundles: this.#x509Bundles() }) satisfies X509BundlesResponse),
      fetchJwtBundles: (call) =>
        this.#serve(call, () => ({ bundles: this.#jwtBundles() }) satisfies JWTBundlesResponse),
      fetchJwtsvid: (call, callback) => {
        this.#answer(call, () => this.#jwtSvids(call.request)).then((response) => callback(null, response), callback);
      },
      validateJwtsvid: (call, callback) => {
        const answer = this.#answer(call, () => this.#validate(call.request));
        answer.then((response) => callback(null, response), callback);
      },
      fetchWitsvid: (call) => this.#serveWit(call, (wit) => this.#witSvids(wit, call.request)),
      fetchWitBundles: (call) =>
        this.#serveWit(call, (wit) => ({ bundles: { [`spiffe://${wit.trustDomain}`]: wit.jwks() } })),
    };
  }

  #x509Response(): X509SVIDResponse {
    const { issuer, faults } = this.#options;
    const bundle = Buffer.concat(issuer.authority.bundle().authorities);
    const response: X509SVIDResponse = {
      svids: this.#ids.map((id) => {
        const { certificates, privateKey } = issuer.x509Svid(id);
        return {
          spiffeId: id,
          x509Svid: Buffer.concat(certificates),
          x509SvidKey: privateKey.export({ type: 'pkcs8', format: 'der' }),
          bundle,
          hint: '',
        };
      }),
      crl: [],
      federatedBundles: keyed(issuer.federated.x509),
    };
    return faults?.spoilX509?.(response) ?? response;
  }

  #x509Bundles(): Record<string, Buffer> {
    const { authority, federated } = this.#options.issuer;
    const own = Buffer.concat(authority.bundle().authorities);
    return { ...keyed(federated.x509), [`spiffe://${authority.trustDomain.name}`]: own };
  }

  #jwtBundles(): Record<string, Buffer> {
    const { authority, federated } = this.#options.issuer;
    return { ...keyed(federated.jwt), [`spiffe://${authority.trustDomain.name}`]: Buffer.from(authority.jwks()) };
  }

  #jwtSvids({ audience, spiffeId }: JWTSVIDRequest): JWTSVIDResponse {
    if (audience.length === 0) throw failure(status.INVALID_ARGUMENT, 'audience must be specified');
    const ids = spiffeId === '' ? this.#ids : this.#ids.filter((id) => id === spiffeId);
    if (ids.length === 0) throw denied();
    const { issuer } = this.#options;
    return { svids: ids.map((id) => ({ spiffeId: id, svid: issuer.jwtSvid(id, audience), hint: '' })) };
  }

  #serveWit<Response>(call: ServerWritableStream<unknown, Response>, respond: (wit: WitIssuer) => Response): void {
    const { wit } = this.#options;
    if (wit === undefined) call.emit('error', unimplemented());
    else this.#serve(call, () => respond(wit));
  }

  #witSvids(wit: WitIssuer, { spiffeId }: WITSVIDRequest): WITSVIDResponse {
    const ids = spiffeId === '' ? this.#ids : this.#ids.filter((id) => id === spiffeId);
    return {
      svids: ids.map((id) => {
        const { token, privateKeyJwk } = wit.issue(id);
        return { spiffeId: id, witSvid: token, witSvidKey: privateKeyJwk, hint: '' };
      }),
    };
  }

  #validate({ audience, svid }: ValidateJWTSVIDRequest): ValidateJWTSVIDResponse {
    if (audience === '') throw failure(status.INVALID_ARGUMENT, 'audience must be specified');
    const { authority } = this.#options.issuer;
    const bundles = {
      getJwtBundle: (domain: { name: string }) =>
        domain.name === authority.trustDomain.name ? authority.jwtBundle() : undefined,
    };
    try {
      const { id, claims } = verifyJwtSvid(svid, { audience, bundles, nowMs: systemClock.now() });
      return { spiffeId: id.toString(), claims: { ...claims } };
    } catch (error) {
      if (error instanceof SpiffeError) throw failure(status.INVALID_ARGUMENT, error.message);
      throw error;
    }
  }

  /** E-03: a call without the header, or with it more than once, is refused. */
  async #admit(call: { readonly metadata: { get(key: string): unknown[] } }): Promise<void> {
    const header = call.metadata.get('workload.spiffe.io');
    if (header.length !== 1 || header[0] !== 'true') {
      throw failure(status.INVALID_ARGUMENT, 'security header missing from request');
    }
    const { faults } = this.#options;
    if (faults?.delayMs !== undefined) await sleep(faults.delayMs);
    if (faults?.fail !== undefined) throw failure(faults.fail.code, faults.fail.details ?? 'a fault on purpose');
    if (this.#ids.length === 0) throw denied();
  }

  async #answer<T>(call: { readonly metadata: { get(key: string): unknown[] } }, respond: () => T): Promise<T> {
    await this.#admit(call);
    return respond();
  }

  #serve<Response>(call: ServerWritableStream<unknown, Response>, respond: () => Response, carriesSvids = false): void {
    this.#admit(call).then(
      () => {
        const send = (): void => {
          if (!call.cancelled) call.write(respond());
        };
        const stream = call as Stream<unknown>;
        this.#streams.set(stream, { carriesSvids, send });
        for (const event of ['cancelled', 'close', 'finish', 'error'] as const) {
          call.once(event, () => this.#streams.delete(stream));
        }
        send();
      },
      (error: ServiceError) => call.emit('error', error),
    );
  }
}

function keyed(bundles: Readonly<Record<string, Uint8Array>> = {}): Record<string, Buffer> {
  return Object.fromEntries(
    Object.entries(bundles).map(([name, bytes]) => [`spiffe://${name}`, Buffer.from(bytes)] as const),
  );
}

function failure(code: status, details: string): Partial<ServiceError> & Error {
  return Object.assign(new Error(details), { code, details });
}

function denied(): Partial<ServiceError> & Error {
  return failure(status.PERMISSION_DENIED, 'no identity issued');
}

function unimplemented(): Partial<ServiceError> & Error {
  return failure(status.UNIMPLEMENTED, 'WIT-SVIDs are not served');
}

import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { type Clock, events } from '../../common/index.ts';
import { type JwtBundleSource, JwtVerifier, SpiffeError, type SpiffeId } from '../../spiffe/index.ts';
import type { AuthMetrics } from './auth-metrics.ts';
import { bearerToken } from './bearer-token.ts';
import { setCaller } from './caller.ts';
import { connectionPeerOf } from './connection-peers.ts';
import { MethodTable } from './method-table.ts';
import { Refusal } from './refusal.ts';

export interface SpiffeAuthOptions {
  /** Verifies the tokens. `JwtSource` is one. */
  readonly bundles: JwtBundleSource;
  /** The name of this service; a token for another is refused. */
  readonly audience: string | readonly string[];
  /** The exact `iss`. Without it the claim is not judged. */
  readonly issuer?: string;
  /** How far clocks may differ, in seconds from 0 to 120, default 30. 0 where caller and service share one clock. */
  readonly leewaySeconds?: number;
  /** How many verified tokens are remembered, default 1024; 0 verifies the token of every call anew. */
  readonly maxRemembered?: number;
  /** How long a verified token is remembered at most, in seconds from 0 to 3600, default 300; never beyond its `exp`. */
  readonly rememberSeconds?: number;
  /** Allowed SPIFFE IDs by full method name, `/package.Service/Method`. What is not in it is refused. */
  readonly methods: Readonly<Record<string, readonly string[]>>;
  /** Full names of methods that need no token, such as those of health and reflection. Default none. */
  readonly exceptions?: readonly string[];
  /**
   * Whether the token must be that of the workload whose X509-SVID the connection showed to `listenSpiffe`. Default
   * true; false behind a proxy that ends TLS with an identity of its own.
   */
  readonly tokenMatchesPeer?: boolean;
  readonly metrics?: AuthMetrics;
  /** Gets one line for each refusal, without the token. */
  readonly logger?: { warn(fields: object, message: string): void };
  readonly clock?: Clock;
}

/** Lets a call reach its handler only with a JWT-SVID whose subject the method's row allows. */
export class SpiffeAuthInterceptor {
  readonly #options: SpiffeAuthOptions;
  readonly #table: MethodTable;
  readonly #verifier: JwtVerifier;

  /** @throws TypeError, RangeError for an audience, a leeway or a method name that cannot be; SpiffeError for an ID */
  constructor(options: SpiffeAuthOptions) {
    this.#options = options;
    this.#table = new MethodTable(options.methods, options.exceptions ?? []);
    this.#verifier = new JwtVerifier(options);
  }

  /** For the server's option `interceptors`. */
  readonly interceptor: ServerInterceptor = (method, call) => {
    if (this.#table.isException(method.path)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) => {
        const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, proceed) => {
          // Without `proceed` nothing of the call reaches the handler.
          if (this.#admit(method.path, metadata, call)) proceed(metadata);
        });
        next(listener.build());
      },
    });
  };

  #admit(method: string, metadata: Metadata, call: ServerInterceptingCallInterface): boolean {
    const { metrics, logger } = this.#options;
    const label = this.#table.labelOf(method);
    try {
      const caller = this.#authorize(method, metadata, call);
      setCaller(metadata, caller);
      // Handlers know the caller; the token itself is of no more use and could only leak.
      metadata.remove('authorization');
      metrics?.attempt(label, 'allowed');
      events.authDecision.publish(() => ({ method: label, allowed: true, spiffeId: caller.toString() }));
      return true;
    } catch (error) {
      const { code, reason, message, id, cause } = Refusal.of(error);
      call.sendStatus({ code, details: message, metadata: null });
      metrics?.attempt(label, 'denied');
      metrics?.failure(label, reason);
      const who = id === undefined ? {} : { spiffeId: id.toString() };
      events.authDecision.publish(() => ({ method: label, allowed: false, reason, ...who }));
      const fields = {
        method: label,
        reason,
        peer: call.getPeer(),
        ...who,
        ...(cause instanceof SpiffeError ? { errorCode: cause.code } : {}),
      };
      logger?.warn(fields, 'a call was refused');
      return false;
    }
  }

  #authorize(method: string, metadata: Metadata, call: ServerInterceptingCallInterface): SpiffeId {
    if (!this.#table.has(method)) throw new Refusal('unknown_method');
    const { id } = this.#verifier.verify(bearerToken(metadata));
    if (this.#options.tokenMatchesPeer !== false) {
      const peer = connectionPeerOf(call);
      // A token that another workload holds was taken from it.
      if (peer !== undefined && !peer.equals(id)) throw new Refusal('not_allowed', { id });
    }
    if (!this.#table.allows(method, id)) throw new Refusal('not_allowed', { id });
    return id;
  }
}

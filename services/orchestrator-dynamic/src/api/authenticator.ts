import type { Socket } from 'node:net';
import { type JwtBundleSource, SpiffeError, type SpiffeId, verifyJwtSvid } from '@neural-hive/security/spiffe';
import { ApiError } from './api-error.ts';
import { OPERATIONS, type Operation } from './operations.ts';

/** Counts what the gRPC services count for their methods, under the same names. */
export interface AuthCounters {
  attempt(method: string, status: 'allowed' | 'denied'): void;
  failure(method: string, reason: string): void;
}

export interface AuthenticatorOptions {
  /** Verifies JWT-SVIDs. */
  readonly bundles: JwtBundleSource;
  readonly audience: string;
  readonly issuer: string;
  /** Seconds that a token may be past its times. 0 where caller and service share one clock. */
  readonly leewaySeconds: number;
  /** The verified X509-SVID of the connection; undefined when the caller showed none. */
  readonly peerSpiffeId: (socket: Socket) => SpiffeId | undefined;
  readonly metrics?: AuthCounters;
  readonly log?: { warn(fields: object, message: string): void };
}

export interface Caller {
  readonly socket: Socket;
  readonly authorization: string | undefined;
}

/**
 * Says who calls, by X509-SVID or JWT-SVID, and whether that identity may have the operation done. Every refusal is
 * counted and logged once, without the token.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The caller's identity. Throws `ApiError` 401 for one that is not proved, 403 for one that may not. */
  authorize(operation: Operation, caller: Caller): SpiffeId {
    const { metrics, log } = this.#options;
    let id: SpiffeId | undefined;
    try {
      id = this.#identify(caller);
      const allowed: readonly string[] = OPERATIONS[operation];
      if (!allowed.includes(id.toString())) {
        throw new Refusal('id_not_authorized', 'permission_denied', `${id} may not ${operation}`);
      }
      metrics?.attempt(operation, 'allowed');
      return id;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      metrics?.attempt(operation, 'denied');
      metrics?.failure(operation, error.reason);
      const { reason } = error;
      log?.warn({ operation, reason, ...(id !== undefined && { spiffeId: id.toString() }) }, 'a caller was refused');
      throw new ApiError(error.code, error.message);
    }
  }

  #identify({ socket, authorization }: Caller): SpiffeId {
    const peer = this.#options.peerSpiffeId(socket);
    if (authorization === undefined) {
      if (peer !== undefined) return peer;
      throw unauthenticated('credentials_missing', 'show an X509-SVID or a JWT-SVID (authorization: Bearer)');
    }
    // A token that is shown must be good, also beside a certificate: ignoring it would hide a mistake.
    const bearer = this.#verify(authorization);
    if (peer !== undefined && !peer.equals(bearer)) {
      throw unauthenticated('identities_differ', 'the X509-SVID and the JWT-SVID belong to different workloads');
    }
    return bearer;
  }

  #verify(authorization: string): SpiffeId {
    const token = /^Bearer ([^\s]+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw unauthenticated('scheme_refused', 'the authorization must be a Bearer token');
    const { bundles, audience, issuer, leewaySeconds } = this.#options;
    try {
      return verifyJwtSvid(token, { bundles, audience, issuer, leewaySeconds }).id;
    } catch (error) {
      if (!(error instanceof SpiffeError)) throw error;
      throw unauthenticated(error.code.toLowerCase(), error.message);
    }
  }
}

/** Why a caller is refused; `reason` is a metric label. */
class Refusal extends Error {
  readonly reason: string;
  readonly code: 'unauthenticated' | 'permission_denied';

  constructor(reason: string, code: 'unauthenticated' | 'permission_denied', message: string) {
    super(message);
    this.reason = reason;
    this.code = code;
  }
}

function unauthenticated(reason: string, message: string): Refusal {
  return new Refusal(reason, 'unauthenticated', message);
}

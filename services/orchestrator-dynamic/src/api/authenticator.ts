import type { Socket } from 'node:net';
import { events } from '@neural-hive/security/common';
import { type AuthFailureReason, type AuthMetrics, authFailureReasonOf } from '@neural-hive/security/grpc';
import { type JwtBundleSource, SpiffeError, type SpiffeId, verifyJwtSvid } from '@neural-hive/security/spiffe';
import { ApiError } from './api-error.ts';
import { DEFAULT_ROLES, isAllowed, type Operation, type RoleTable } from './operations.ts';

/** The reasons of the gRPC services, and one that only a caller with two credentials can have. */
type RefusalReason = AuthFailureReason | 'identities_differ';

export interface AuthenticatorOptions {
  /** Verifies JWT-SVIDs. */
  readonly bundles: JwtBundleSource;
  readonly audience: string;
  readonly issuer: string;
  /** Seconds that a token may be past its times. 0 where caller and service share one clock. */
  readonly leewaySeconds: number;
  /** Who may do what. Default: the operator, everything. */
  readonly roles?: RoleTable;
  /** The verified X509-SVID of the connection; undefined when the caller showed none. */
  readonly peerSpiffeId: (socket: Socket) => SpiffeId | undefined;
  /** The gRPC services' counters; `method` is the operation. */
  readonly metrics?: AuthMetrics;
  readonly log?: { warn(fields: object, message: string): void };
}

export interface Caller {
  readonly socket: Socket;
  /** Every value of the header: two readers could each believe another one. */
  readonly authorization: readonly string[];
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
    const { metrics, log, roles = DEFAULT_ROLES } = this.#options;
    let id: SpiffeId | undefined;
    try {
      id = this.#identify(caller);
      if (!isAllowed(operation, id.toString(), roles)) {
        throw new Refusal('not_allowed', 'permission_denied', `${id} may not ${operation}`);
      }
      metrics?.attempt(operation, 'allowed');
      const spiffeId = id.toString();
      events.authDecision.publish(() => ({ method: operation, allowed: true, spiffeId }));
      return id;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      metrics?.attempt(operation, 'denied');
      metrics?.failure(operation, error.reason);
      const { reason } = error;
      const who = id === undefined ? {} : { spiffeId: id.toString() };
      events.authDecision.publish(() => ({ method: operation, allowed: false, reason, ...who }));
      log?.warn({ operation, reason, ...who }, 'a caller was refused');
      throw new ApiError(error.code, error.message);
    }
  }

  #identify({ socket, authorization }: Caller): SpiffeId {
    const peer = this.#options.peerSpiffeId(socket);
    const [header] = authorization;
    if (header === undefined) {
      if (peer !== undefined) return peer;
      throw unauthenticated('missing_token', 'show an X509-SVID or a JWT-SVID (authorization: Bearer)');
    }
    // A token that is shown must be good, also beside a certificate: ignoring it would hide a mistake.
    if (authorization.length > 1) throw unauthenticated('malformed_token', 'show one authorization, not several');
    const bearer = this.#verify(header);
    if (peer !== undefined && !peer.equals(bearer)) {
      throw unauthenticated('identities_differ', 'the X509-SVID and the JWT-SVID belong to different workloads');
    }
    return bearer;
  }

  #verify(authorization: string): SpiffeId {
    const token = /^Bearer ([^\s]+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw unauthenticated('malformed_token', 'the authorization must be a Bearer token');
    const { bundles, audience, issuer, leewaySeconds } = this.#options;
    try {
      return verifyJwtSvid(token, { bundles, audience, issuer, leewaySeconds }).id;
    } catch (error) {
      if (!(error instanceof SpiffeError)) throw error;
      throw unauthenticated(authFailureReasonOf(error.code), error.message);
    }
  }
}

/** Why a caller is refused; `reason` is a metric label. */
class Refusal extends Error {
  readonly reason: RefusalReason;
  readonly code: 'unauthenticated' | 'permission_denied';

  constructor(reason: RefusalReason, code: 'unauthenticated' | 'permission_denied', message: string) {
    super(message);
    this.reason = reason;
    this.code = code;
  }
}

function unauthenticated(reason: RefusalReason, message: string): Refusal {
  return new Refusal(reason, 'unauthenticated', message);
}

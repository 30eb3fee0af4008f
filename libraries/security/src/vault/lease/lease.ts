/** A secret that the server ends at a known time, and earlier when asked. */
export interface Lease<T> {
  readonly value: T;
  readonly leaseId: string;
  /** When it was issued. */
  readonly issuedAtMs: number;
  /** The earlier of the lease's own end and that of the token that made it. Moves when either is renewed. */
  readonly expiresAtMs: number;
  readonly renewable: boolean;
  /** The lease must be replaced: see `LeaseEnding`. Calls back at once when that is already so. */
  onEnding(listener: (reason: LeaseEnding) => unknown): () => void;
  /** Ends it on the server. Resolves when it is gone; idempotent. */
  revoke(): Promise<void>;
}

/** Why a lease will not be renewed any more. */
export type LeaseEnding =
  /** It cannot be renewed and the time to replace it has come. */
  | 'due'
  /** A renewal did not extend it to its full duration again: its maximum lifetime is near. */
  | 'max-ttl'
  /** No renewal succeeded in time: what is left of it is needed to drain what uses it. */
  | 'overdue'
  /** The server refused to renew it. */
  | 'renewal-refused'
  /** The token that made it is replaced; the lease goes with it. */
  | 'token-replaced'
  /** The token that made it is dead, and so is the lease. */
  | 'lost'
  /** It ended. */
  | 'expired';

/**
 * `active`: it is extended when its time comes, or needs no extension. `failing`: its latest renewal failed and is
 * tried again. `ending`: it will not be renewed any more and its user has been told.
 */
export type LeaseState = 'active' | 'failing' | 'ending';

/** What may be shown of a lease: everything but its value. */
export interface LeaseInfo {
  readonly leaseId: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly renewable: boolean;
  readonly tokenGeneration: number;
  readonly state: LeaseState;
  /** Renewals that failed since the last that succeeded; absent without any. */
  readonly failedRenewals?: number;
  readonly ending?: LeaseEnding;
}

export interface LeaseEvent {
  readonly type: 'obtained' | 'renewed' | 'renewal-failed' | 'ending' | 'revoked' | 'gone';
  readonly lease: LeaseInfo;
}

export interface LeaseOptions {
  readonly signal?: AbortSignal | undefined;
  /** What must be left of the lease when it is replaced, for draining. In milliseconds; default 0. */
  readonly reserveMs?: number;
  /** Whether this process leases this for the first time: then the renewal point spreads wider. Default true. */
  readonly first?: boolean;
}

import type { Timer } from '../../common/index.ts';
import { earlierEndMs } from '../lifetime.ts';
import type { TokenRecord } from '../token/token-record.ts';
import type { Lease, LeaseEnding, LeaseInfo, LeaseState } from './lease.ts';

type EndingListener = (reason: LeaseEnding) => unknown;

/** A lease as the registry holds it. */
export class TrackedLease<T> implements Lease<T> {
  readonly leaseId: string;
  readonly issuedAtMs: number;
  readonly renewable: boolean;
  readonly owner: TokenRecord;
  /** The duration the server gave it at first. */
  readonly lifetimeMs: number;
  /** When it was issued or renewed last. */
  extendedAtMs: number;
  /** Its own end, whatever becomes of the token. */
  ownExpiresAtMs: number;
  ending: LeaseEnding | undefined;
  /** Since the last that succeeded. */
  failedRenewals = 0;
  /** What must be left of it when it is replaced, in milliseconds. */
  readonly reserveMs: number;
  /** To the next thing that the registry does about it. */
  timer: Timer | undefined;
  readonly #value: T;
  /** Most leases have one user: an array costs less than a set, and none at all before there is one. */
  #listeners: EndingListener[] | undefined;
  readonly #revoke: (lease: TrackedLease<unknown>) => Promise<void>;

  constructor(fields: {
    value: T;
    leaseId: string;
    issuedAtMs: number;
    lifetimeMs: number;
    renewable: boolean;
    reserveMs: number;
    owner: TokenRecord;
    revoke: (lease: TrackedLease<unknown>) => Promise<void>;
  }) {
    this.#value = fields.value;
    this.leaseId = fields.leaseId;
    this.issuedAtMs = fields.issuedAtMs;
    this.extendedAtMs = fields.issuedAtMs;
    this.lifetimeMs = fields.lifetimeMs;
    this.ownExpiresAtMs = fields.issuedAtMs + fields.lifetimeMs;
    this.renewable = fields.renewable;
    this.reserveMs = fields.reserveMs;
    this.owner = fields.owner;
    this.#revoke = fields.revoke;
  }

  get value(): T {
    return this.#value;
  }

  get expiresAtMs(): number {
    return earlierEndMs(this.ownExpiresAtMs, this.owner.expiresAtMs);
  }

  get state(): LeaseState {
    if (this.ending !== undefined) return 'ending';
    return this.failedRenewals > 0 ? 'failing' : 'active';
  }

  onEnding(listener: EndingListener): () => void {
    if (this.ending !== undefined) void listener(this.ending);
    else this.#listeners = [...(this.#listeners ?? []), listener];
    return () => {
      this.#listeners = this.#listeners?.filter((other) => other !== listener);
    };
  }

  /** Tells everybody once; resolves when they have acted on it. */
  async end(reason: LeaseEnding): Promise<void> {
    if (this.ending !== undefined) return;
    this.ending = reason;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    await Promise.allSettled(listeners.map(async (listener) => listener(reason)));
  }

  revoke(): Promise<void> {
    return this.#revoke(this);
  }

  info(): LeaseInfo {
    const { leaseId, issuedAtMs, expiresAtMs, renewable, state, ending, failedRenewals } = this;
    return {
      leaseId,
      issuedAtMs,
      expiresAtMs,
      renewable,
      tokenGeneration: this.owner.generation,
      state,
      ...(failedRenewals > 0 && { failedRenewals }),
      ...(ending !== undefined && { ending }),
    };
  }

  toJSON(): LeaseInfo {
    return this.info();
  }
}

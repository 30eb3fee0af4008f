import { type Clock, messageOf, type Random, SingleFlight, TimerQueue } from '../../common/index.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { isVaultError, VaultError } from '../errors.ts';
import { extendedFully, hardPointMs, renewalPointMs } from '../lifetime.ts';
import type { Logger } from '../observe.ts';
import { spreadDelayMs } from '../retry-delay.ts';
import type { TokenRecord } from '../token/token-record.ts';
import type { Lease, LeaseEvent, LeaseInfo, LeaseOptions } from './lease.ts';
import { renewLease, revokeLease, type Send } from './lease-calls.ts';
import { TrackedLease } from './tracked-lease.ts';

export interface LeaseRegistryOptions {
  readonly send: Send;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type AnyLease = TrackedLease<unknown>;

/**
 * Every lease of a client, on one timer. Renews those that can be extended, tells the users of a lease when it must be
 * replaced, and revokes what is left at close.
 */
export class LeaseRegistry {
  readonly #options: LeaseRegistryOptions;
  readonly #leases = new Map<string, AnyLease>();
  readonly #timers: TimerQueue;
  readonly #revokeTracked = (lease: AnyLease): Promise<void> => this.#revoke(lease);
  readonly #revocations = new SingleFlight<string, void>();
  readonly #listeners = new Set<(event: LeaseEvent) => void>();
  #waiting: { readonly owner: TokenRecord; readonly resolve: () => void }[] = [];
  #closed = false;

  constructor(options: LeaseRegistryOptions) {
    this.#options = options;
    const { clock } = options;
    this.#timers = new TimerQueue({ clock, onSetBack: (byMs) => this.#setBack(byMs) });
  }

  /** Leases that are held. */
  get size(): number {
    return this.#leases.size;
  }

  list(): LeaseInfo[] {
    return [...this.#leases.values()].map((lease) => lease.info());
  }

  onChange(listener: (event: LeaseEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes charge of the lease in an answer that was obtained with `owner`. */
  track<T>(envelope: VaultEnvelope, owner: TokenRecord, value: T, issuedAtMs: number, options: LeaseOptions): Lease<T> {
    const { leaseId, leaseSeconds, renewable } = envelope;
    if (leaseId === '' || leaseSeconds <= 0) {
      throw new VaultError('bad-response', 'Leasing: the answer holds no lease; is the path that of a dynamic secret?');
    }
    const lease = new TrackedLease<T>({
      value,
      leaseId,
      issuedAtMs,
      lifetimeMs: leaseSeconds * 1_000,
      renewable,
      reserveMs: options.reserveMs ?? 0,
      owner,
      revoke: this.#revokeTracked,
    });
    this.#leases.set(leaseId, lease);
    this.#emit('obtained', lease);
    // The token was replaced while the answer was under way.
    if (owner.retired) void this.#end(lease, 'token-replaced');
    else this.#schedule(lease, options.first ?? true);
    return lease;
  }

  /** Has every lease of `owner` replaced by its users; resolves when they are done. */
  async handOver(owner: TokenRecord, alive: boolean): Promise<void> {
    const owned = [...this.#leases.values()].filter((lease) => lease.owner === owner);
    if (!alive) for (const lease of owned) this.#forget(lease);
    await Promise.all(owned.map((lease) => this.#end(lease, alive ? 'token-replaced' : 'lost')));
  }

  /** Resolves when no lease of `owner` is left; undefined when there is none. */
  whenGone(owner: TokenRecord): Promise<void> | undefined {
    if (!this.#owns(owner)) return undefined;
    return new Promise((resolve) => this.#waiting.push({ owner, resolve }));
  }

  /** Stops renewing and, unless told otherwise, revokes everything that is left. */
  async close({ revoke, signal }: { revoke: boolean; signal?: AbortSignal }): Promise<void> {
    this.#closed = true;
    this.#timers.clear();
    if (!revoke) return;
    const results = await Promise.allSettled([...this.#leases.values()].map((lease) => this.#revoke(lease, signal)));
    for (const result of results) {
      if (result.status === 'rejected') {
        this.#options.logger.warn({ cause: messageOf(result.reason) }, 'a lease was not revoked at close');
      }
    }
  }

  #owns(owner: TokenRecord): boolean {
    return [...this.#leases.values()].some((lease) => lease.owner === owner);
  }

  #schedule(lease: AnyLease, first: boolean): void {
    const { clock, random } = this.#options;
    const { extendedAtMs: issuedAtMs, ownExpiresAtMs: expiresAtMs, reserveMs } = lease;
    const atMs = renewalPointMs({ issuedAtMs, expiresAtMs }, { first, reserveMs, random });
    this.#arm(lease, atMs - clock.now(), () => {
      if (!lease.renewable) void this.#end(lease, 'due');
      else void this.#renew(lease);
    });
  }

  /** Sets the one timer of a lease. */
  #arm(lease: AnyLease, delayMs: number, act: () => void): void {
    lease.timer?.cancel();
    lease.timer = undefined;
    if (this.#closed || this.#leases.get(lease.leaseId) !== lease) return;
    lease.timer = this.#timers.setTimer(delayMs, act);
  }

  async #renew(lease: AnyLease): Promise<void> {
    const { clock, logger, random, send } = this.#options;
    const askedAtMs = clock.now();
    const hardMs = this.#hardPointMs(lease);
    // An answer that does not come must not cost the time to drain. After a suspension it is the answer that decides.
    if (hardMs > askedAtMs) this.#arm(lease, hardMs - askedAtMs, () => void this.#end(lease, 'overdue'));
    try {
      const { leaseSeconds } = await renewLease(send, lease.leaseId);
      if (lease.ending !== undefined || !this.#leases.has(lease.leaseId)) return;
      const renewedMs = leaseSeconds * 1_000;
      lease.failedRenewals = 0;
      lease.extendedAtMs = askedAtMs;
      lease.ownExpiresAtMs = askedAtMs + renewedMs;
      this.#emit('renewed', lease);
      if (extendedFully(renewedMs, lease.lifetimeMs)) this.#schedule(lease, false);
      else await this.#end(lease, 'max-ttl');
    } catch (error) {
      if (lease.ending !== undefined || this.#closed) return;
      lease.failedRenewals += 1;
      this.#emit('renewal-failed', lease);
      logger.warn({ leaseId: lease.leaseId, cause: messageOf(error) }, 'renewing a lease failed');
      const refused = isVaultError(error) && error.status !== undefined && error.status < 500 && !error.retryable;
      if (refused) return this.#end(lease, 'renewal-refused');
      const nowMs = clock.now();
      if (lease.expiresAtMs <= nowMs) return this.#end(lease, 'expired');
      const leftMs = this.#hardPointMs(lease) - nowMs;
      if (leftMs <= 0) return this.#end(lease, 'overdue');
      // The last try is at the hard point itself.
      const delayMs = Math.min(spreadDelayMs({ remainingMs: leftMs, random }), leftMs);
      this.#arm(lease, delayMs, () => void this.#renew(lease));
    }
  }

  #hardPointMs({ extendedAtMs: issuedAtMs, expiresAtMs, reserveMs }: AnyLease): number {
    return hardPointMs({ issuedAtMs, expiresAtMs }, reserveMs);
  }

  /** The leases end when they would have; only the clock calls that moment by another name now. */
  #setBack(byMs: number): void {
    const owners = new Set<TokenRecord>();
    for (const lease of this.#leases.values()) {
      lease.extendedAtMs -= byMs;
      lease.ownExpiresAtMs -= byMs;
      owners.add(lease.owner);
    }
    for (const owner of owners) {
      owner.issuedAtMs -= byMs;
      owner.expiresAtMs -= byMs;
    }
    this.#options.logger.warn({ byMs, leases: this.#leases.size }, 'the clock was set back');
  }

  async #end(lease: AnyLease, reason: Parameters<AnyLease['end']>[0]): Promise<void> {
    if (lease.ending !== undefined) return;
    const { clock } = this.#options;
    // From here on only its end is waited for, so that the list does not keep what the server has dropped.
    this.#arm(lease, lease.expiresAtMs - clock.now(), () => this.#forget(lease));
    const told = lease.end(reason);
    this.#emit('ending', lease);
    await told;
  }

  #revoke(lease: AnyLease, signal?: AbortSignal): Promise<void> {
    if (this.#leases.get(lease.leaseId) !== lease) return Promise.resolve();
    return this.#revocations.run(lease.leaseId, async () => {
      await revokeLease(this.#options.send, lease.leaseId, signal);
      if (this.#leases.get(lease.leaseId) === lease) {
        this.#forget(lease, 'revoked');
      }
    });
  }

  #forget(lease: AnyLease, type: LeaseEvent['type'] = 'gone'): void {
    lease.timer?.cancel();
    lease.timer = undefined;
    if (!this.#leases.delete(lease.leaseId)) return;
    this.#emit(type, lease);
    this.#waiting = this.#waiting.filter(({ owner, resolve }) => {
      if (this.#owns(owner)) return true;
      resolve();
      return false;
    });
  }

  #emit(type: LeaseEvent['type'], lease: AnyLease): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener({ type, lease: lease.info() });
      } catch (error) {
        this.#options.logger.error({ cause: messageOf(error) }, 'a lease listener threw');
      }
    }
  }
}

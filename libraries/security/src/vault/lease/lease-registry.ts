import { type Clock, messageOf, type Random, SingleFlight, type Timer } from '../../common/index.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { isVaultError, VaultError } from '../errors.ts';
import { extendedFully, renewalPointMs } from '../lifetime.ts';
import type { Logger } from '../observe.ts';
import { repeatDelayMs } from '../retry-delay.ts';
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
 * Every lease of a client. Renews those that can be extended, tells the users of a lease when it must be replaced,
 * and revokes what is left at close.
 */
export class LeaseRegistry {
  readonly #options: LeaseRegistryOptions;
  readonly #leases = new Map<string, AnyLease>();
  readonly #timers = new Map<AnyLease, Timer>();
  readonly #revocations = new SingleFlight<string, void>();
  readonly #listeners = new Set<(event: LeaseEvent) => void>();
  #waiting: { readonly owner: TokenRecord; readonly resolve: () => void }[] = [];
  #closed = false;

  constructor(options: LeaseRegistryOptions) {
    this.#options = options;
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
      owner,
      revoke: (tracked) => this.#revoke(tracked),
    });
    this.#leases.set(leaseId, lease);
    this.#emit('obtained', lease);
    // The token was replaced while the answer was under way.
    if (owner.retired) void this.#end(lease, 'token-replaced');
    else this.#schedule(lease, options);
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
    for (const timer of this.#timers.values()) timer.cancel();
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

  #schedule(lease: AnyLease, { first = true, reserveMs = 0 }: LeaseOptions): void {
    const { clock, random } = this.#options;
    const { extendedAtMs: issuedAtMs, ownExpiresAtMs: expiresAtMs } = lease;
    const atMs = renewalPointMs({ issuedAtMs, expiresAtMs }, { first, reserveMs, random });
    const act = (): void => {
      if (!lease.renewable) void this.#end(lease, 'due');
      else void this.#renew(lease, reserveMs, 0);
    };
    this.#arm(lease, atMs - clock.now(), act);
  }

  #arm(lease: AnyLease, delayMs: number, act: () => void): void {
    this.#timers.get(lease)?.cancel();
    if (this.#closed || this.#leases.get(lease.leaseId) !== lease) return;
    this.#timers.set(lease, this.#options.clock.setTimer(Math.max(0, delayMs), act));
  }

  async #renew(lease: AnyLease, reserveMs: number, attempt: number): Promise<void> {
    const { clock, logger, random, send } = this.#options;
    const askedAtMs = clock.now();
    try {
      const { leaseSeconds } = await renewLease(send, lease.leaseId);
      if (lease.ending !== undefined || !this.#leases.has(lease.leaseId)) return;
      const renewedMs = leaseSeconds * 1_000;
      lease.extendedAtMs = askedAtMs;
      lease.ownExpiresAtMs = askedAtMs + renewedMs;
      lease.renewalFailed = false;
      this.#emit('renewed', lease);
      if (extendedFully(renewedMs, lease.lifetimeMs)) this.#schedule(lease, { first: false, reserveMs });
      else await this.#end(lease, 'max-ttl');
    } catch (error) {
      if (lease.ending !== undefined || this.#closed) return;
      lease.renewalFailed = true;
      this.#emit('renewal-failed', lease);
      const remainingMs = lease.expiresAtMs - clock.now();
      logger.warn({ leaseId: lease.leaseId, cause: messageOf(error) }, 'renewing a lease failed');
      if (isVaultError(error) && error.status !== undefined && error.status < 500 && !error.retryable) {
        await this.#end(lease, 'renewal-refused');
        return;
      }
      if (remainingMs <= 0) return this.#end(lease, 'expired');
      const delayMs = repeatDelayMs(attempt, { remainingMs, capMs: 10_000, random });
      this.#arm(lease, delayMs, () => void this.#renew(lease, reserveMs, attempt + 1));
    }
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
    this.#timers.get(lease)?.cancel();
    this.#timers.delete(lease);
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

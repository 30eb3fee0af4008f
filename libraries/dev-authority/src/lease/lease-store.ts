import { type Clock, fullJitterMs, messageOf, type Random } from '@neural-hive/security/common';
import type { AuditEvents } from '../audit/audit-log.ts';
import { Fault, invalid } from '../fault.ts';
import { randomText } from '../random-text.ts';
import type { StateSection } from '../state/journal.ts';
import { Deadlines } from './deadlines.ts';
import { renewedTtl } from './ttl.ts';

const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 60_000;

export interface Lease {
  readonly id: string;
  /** Mount point whose engine made it. */
  readonly mount: string;
  readonly path: string;
  /** Accessor of the token that it dies with. */
  readonly tokenAccessor: string;
  readonly issuedAtMs: number;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly renewable: boolean;
  /** What the engine needs to renew and revoke. */
  readonly payload: Readonly<Record<string, string>>;
  expiresAtMs: number;
  lastRenewalMs: number | null;
  /**
   * `pending`: written down before the engine makes anything, so that a crash in between leaves no orphan.
   * `revoking`: over for its holder, and the engine has not managed to undo it yet.
   */
  state: 'pending' | 'active' | 'revoking';
  failedRevocations: number;
  lastError: string | null;
}

export interface LeaseEngine {
  /** Must succeed when there is nothing left to revoke: it is repeated after failures and crashes. */
  revokeLease(lease: Lease): Promise<void>;
  renewLease(lease: Lease, expiresAtMs: number): Promise<void>;
}

export interface NewLease extends Pick<Lease, 'mount' | 'path' | 'tokenAccessor' | 'ttlSeconds' | 'maxTtlSeconds'> {
  readonly payload: Lease['payload'];
}

export interface LeaseStoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: AuditEvents;
  readonly engineOf: (mount: string) => LeaseEngine | undefined;
  readonly commit: () => Promise<void>;
}

/** Every lease, until it is revoked in earnest. */
export class LeaseStore implements StateSection {
  readonly #options: LeaseStoreOptions;
  readonly #leases = new Map<string, Lease>();
  readonly #deadlines: Deadlines;
  readonly #revoking = new Map<string, Promise<void>>();
  readonly #making = new Map<string, Promise<void>>();
  #created = 0;
  #revoked = 0;

  constructor(options: LeaseStoreOptions, saved: unknown) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, (id) => void this.#expire(id));
    for (const lease of (saved ?? []) as Lease[]) this.#leases.set(lease.id, lease);
  }

  /** Starts the timers. What ended while nobody looked, or was never handed out, is revoked at once. */
  start(): void {
    const nowMs = this.#options.clock.now();
    for (const lease of this.#leases.values()) {
      if (lease.state === 'pending') lease.state = 'revoking';
      this.#deadlines.set(lease.id, lease.state === 'active' ? lease.expiresAtMs : nowMs);
    }
  }

  /**
   * Writes the lease down, lets the engine make what it stands for, and only then hands it out. When `make` fails, or
   * the owning token ends meanwhile, whatever was made is undone.
   */
  async create(made: NewLease, make: (lease: Lease) => Promise<void>): Promise<Lease> {
    const lease = this.#prepare(made);
    await this.#options.commit();
    const making = make(lease);
    this.#making.set(lease.id, making);
    try {
      await making;
    } catch (error) {
      this.#making.delete(lease.id);
      await this.revoke(lease.id).catch(() => undefined);
      await this.#options.commit();
      throw error;
    }
    this.#making.delete(lease.id);
    if (lease.state !== 'pending') throw new Fault('internal', 'the token ended while its lease was made');
    lease.state = 'active';
    this.#created += 1;
    this.#deadlines.set(lease.id, lease.expiresAtMs);
    this.#announce('lease.created', lease);
    return lease;
  }

  #prepare(made: NewLease): Lease {
    const nowMs = this.#options.clock.now();
    const lease: Lease = {
      ...made,
      id: `${made.path}/${randomText(24)}`,
      issuedAtMs: nowMs,
      expiresAtMs: nowMs + made.ttlSeconds * 1000,
      lastRenewalMs: null,
      renewable: true,
      state: 'pending',
      failedRevocations: 0,
      lastError: null,
    };
    this.#leases.set(lease.id, lease);
    return lease;
  }

  find(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  all(): Iterable<Lease> {
    return this.#leases.values();
  }

  async renew(
    id: string,
    incrementSeconds: number | undefined,
  ): Promise<{ lease: Lease; ttlSeconds: number; warnings: readonly string[] }> {
    const lease = this.#leases.get(id);
    const nowMs = this.#options.clock.now();
    if (lease === undefined) throw invalid('lease not found');
    if (lease.state !== 'active' || lease.expiresAtMs <= nowMs) throw invalid('lease expired');
    if (!lease.renewable) throw invalid('lease is not renewable');
    const endsAtMs = lease.issuedAtMs + lease.maxTtlSeconds * 1000;
    const granted = renewedTtl({ ttlSeconds: incrementSeconds || lease.ttlSeconds, endsAtMs, nowMs });
    const expiresAtMs = nowMs + granted.ttlSeconds * 1000;
    await this.#options.engineOf(lease.mount)?.renewLease(lease, expiresAtMs);
    lease.expiresAtMs = expiresAtMs;
    lease.lastRenewalMs = nowMs;
    this.#deadlines.set(lease.id, expiresAtMs);
    return { lease, ...granted };
  }

  /** Resolves when the engine has undone it; rejects when that failed, and tries again later by itself. */
  revoke(id: string): Promise<void> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return Promise.resolve();
    const running = this.#revoking.get(id);
    if (running !== undefined) return running;
    lease.state = 'revoking';
    this.#deadlines.delete(id);
    // What is being made cannot be undone before it is there.
    const made = (this.#making.get(id) ?? Promise.resolve()).catch(() => undefined);
    const attempt = made.then(() => this.#undo(lease)).finally(() => this.#revoking.delete(id));
    this.#revoking.set(id, attempt);
    return attempt;
  }

  /** Failures stay listed; they are retried. */
  async revokeAll(leases: Iterable<Lease>): Promise<PromiseSettledResult<void>[]> {
    return Promise.allSettled([...leases].map((lease) => this.revoke(lease.id)));
  }

  withPrefix(prefix: string): Lease[] {
    const folder = prefix.endsWith('/') || prefix === '' ? prefix : `${prefix}/`;
    return [...this.#leases.values()].filter((lease) => lease.id.startsWith(folder));
  }

  ofToken(accessor: string): Lease[] {
    return [...this.#leases.values()].filter((lease) => lease.tokenAccessor === accessor);
  }

  /** Forgets them whatever the engine says. */
  async forget(leases: Iterable<Lease>): Promise<void> {
    const listed = [...leases];
    await this.revokeAll(listed);
    for (const lease of listed) {
      this.#deadlines.delete(lease.id);
      if (this.#leases.delete(lease.id)) this.#announce('lease.forgotten', lease);
    }
  }

  counts(): { active: number; revoking: number; created: number; revoked: number } {
    let revoking = 0;
    for (const lease of this.#leases.values()) if (lease.state === 'revoking') revoking += 1;
    return { active: this.#leases.size - revoking, revoking, created: this.#created, revoked: this.#revoked };
  }

  save(): unknown {
    return [...this.#leases.values()];
  }

  /** Stops the timers and waits for revocations that already run. Revokes nothing. */
  async close(): Promise<void> {
    this.#deadlines.close();
    await Promise.allSettled(this.#revoking.values());
  }

  async #undo(lease: Lease): Promise<void> {
    try {
      const engine = this.#options.engineOf(lease.mount);
      if (engine === undefined) throw new Error('its engine is not mounted');
      await engine.revokeLease(lease);
    } catch (error) {
      lease.failedRevocations += 1;
      lease.lastError = messageOf(error);
      const delayMs =
        RETRY_BASE_MS / 2 +
        fullJitterMs(lease.failedRevocations, {
          baseMs: RETRY_BASE_MS,
          capMs: RETRY_CAP_MS,
          random: this.#options.random,
        });
      this.#deadlines.set(lease.id, this.#options.clock.now() + delayMs);
      this.#announce('lease.revocation_failed', lease);
      throw error;
    }
    this.#leases.delete(lease.id);
    this.#revoked += 1;
    this.#announce('lease.revoked', lease);
  }

  async #expire(id: string): Promise<void> {
    await this.revoke(id).catch(() => undefined);
    await this.#options.commit().catch(() => undefined);
  }

  #announce(event: string, lease: Lease): void {
    this.#options.events.event(event, {
      path: lease.path,
      lease_id: this.#options.events.hmac(lease.id),
      ...this.counts(),
    });
  }
}

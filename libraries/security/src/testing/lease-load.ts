import { type Clock, Secret, silentLogger, systemClock, type Timer } from '../common/index.ts';
import type { VaultEnvelope } from '../vault/envelope.ts';
import { LeaseRegistry } from '../vault/lease/lease-registry.ts';
import { renewalPointMs } from '../vault/lifetime.ts';
import { TokenRecord } from '../vault/token/token-record.ts';

export interface LeaseLoadOptions {
  readonly leases: number;
  readonly leaseMs: number;
  /** How long they are held, in milliseconds. */
  readonly forMs: number;
  /** Bytes in use now, after collecting what is not. */
  readonly memory: () => number;
}

export interface LeaseLoadReport {
  /** With the id, the value and one user each. */
  readonly bytesPerLease: number;
  /** Timers of the clock that were set at the same time, at most. */
  readonly timers: number;
  readonly renewals: number;
  /** How long after their drawn moment 99 of 100 first renewals were sent. */
  readonly lagP99Ms: number;
}

/** Holds many leases in one process, in real time, against a server that answers at once. */
export async function holdLeases(options: LeaseLoadOptions): Promise<LeaseLoadReport> {
  const { leases, leaseMs, forMs, memory } = options;
  const clock = new CountedClock();
  const plannedMs = new Map<string, number>();
  const lags: number[] = [];
  let renewals = 0;
  let drawn = 0;
  const random = (): number => {
    drawn = Math.random();
    return drawn;
  };
  const registry = new LeaseRegistry({
    clock,
    random,
    logger: silentLogger,
    async send({ body }) {
      const leaseId = String(body?.lease_id);
      const dueMs = plannedMs.get(leaseId);
      if (dueMs !== undefined) lags.push(clock.now() - dueMs);
      plannedMs.delete(leaseId);
      renewals += 1;
      return envelopeOf(leaseId, leaseMs);
    },
  });
  const owner = new TokenRecord({
    secret: new Secret('load'),
    accessor: 'load',
    type: 'service',
    generation: 1,
    issuedAtMs: clock.now(),
    lifetimeMs: Number.POSITIVE_INFINITY,
    renewable: true,
  });
  const before = memory();
  for (let index = 0; index < leases; index += 1) track(registry, owner, clock.now(), index, leaseMs);
  const bytesPerLease = (memory() - before) / leases;
  // A second set says when it is due; it takes the place of the first, whose memory was measured without such notes.
  await registry.handOver(owner, false);
  for (let index = 0; index < leases; index += 1) {
    const issuedAtMs = clock.now();
    const leaseId = track(registry, owner, issuedAtMs, index, leaseMs);
    const value = drawn;
    const life = { issuedAtMs, expiresAtMs: issuedAtMs + leaseMs };
    plannedMs.set(leaseId, renewalPointMs(life, { first: true, random: () => value }));
  }
  await new Promise<void>((resolve) => {
    setTimeout(resolve, forMs);
  });
  await registry.close({ revoke: false });
  lags.sort((a, b) => a - b);
  const lagP99Ms = lags[Math.floor(lags.length * 0.99)] ?? Number.NaN;
  return { bytesPerLease, timers: clock.most, renewals, lagP99Ms };
}

function track(registry: LeaseRegistry, owner: TokenRecord, nowMs: number, index: number, leaseMs: number): string {
  const leaseId = `database/creds/application-role/${index.toString(36).padStart(24, 'x')}`;
  const value = { username: `v-token-application-${index}`, password: new Secret(`password-${index}`) };
  registry.track(envelopeOf(leaseId, leaseMs), owner, value, nowMs, {}).onEnding(() => undefined);
  return leaseId;
}

function envelopeOf(leaseId: string, leaseMs: number): VaultEnvelope {
  return { status: 200, leaseId, leaseSeconds: leaseMs / 1_000, renewable: true, data: {}, warnings: [] };
}

class CountedClock implements Clock {
  readonly #set = new Set<Timer>();
  most = 0;

  now(): number {
    return systemClock.now();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = systemClock.setTimer(delayMs, () => {
      this.#set.delete(counted);
      callback();
    });
    const counted = {
      cancel: () => {
        this.#set.delete(counted);
        timer.cancel();
      },
    };
    this.#set.add(counted);
    this.most = Math.max(this.most, this.#set.size);
    return counted;
  }
}

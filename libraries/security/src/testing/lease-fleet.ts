import { type Clock, Secret, silentLogger, type Timer } from '../common/index.ts';
import { RotatingCredential } from '../credentials/index.ts';
import type { VaultCall } from '../vault/dispatch.ts';
import type { VaultEnvelope } from '../vault/envelope.ts';
import { VaultError } from '../vault/errors.ts';
import { LeaseRegistry } from '../vault/lease/lease-registry.ts';
import { TokenRecord } from '../vault/token/token-record.ts';

export interface LeaseFleetOptions {
  readonly clients: number;
  /** They start one after another in this time. In milliseconds. */
  readonly startMs: number;
  readonly leaseMs: number;
  /** How long it runs, in milliseconds. */
  readonly horizonMs: number;
  /** When the authority cannot be reached, in milliseconds from the start. */
  readonly outage?: { readonly fromMs: number; readonly toMs: number };
  /** The same seed gives the same run. */
  readonly seed: number;
}

export interface LeaseFleetReport {
  /** Renewals and replacements that the authority answered. */
  readonly renewals: number;
  /** Leases that had to be replaced. */
  readonly replaced: number;
  /** Leases that ended before they were renewed or replaced. */
  readonly lost: number;
  readonly meanPerMinute: number;
  /** The most in any 60 seconds, wherever they begin. */
  readonly peakPerMinute: number;
  /** peak / mean. */
  readonly ratio: number;
}

/**
 * Plays a fleet of clients with one lease each against an authority that only counts, on a clock of its own. The leases
 * are held by the registry and the rotating credentials that services use.
 */
export async function simulateLeaseFleet(options: LeaseFleetOptions): Promise<LeaseFleetReport> {
  const clock = new SteppedClock();
  const random = seeded(options.seed);
  const answered: number[] = [];
  const report = { replaced: 0, lost: 0 };
  const startedMs = clock.now();
  const ask = (): void => {
    const atMs = clock.now() - startedMs;
    const { outage } = options;
    if (outage !== undefined && atMs >= outage.fromMs && atMs < outage.toMs) {
      throw new VaultError('network', 'The authority is away', { retryable: true });
    }
  };
  const client = (index: number): Promise<RotatingCredential<undefined>> => {
    const send = async ({ path }: VaultCall): Promise<VaultEnvelope> => {
      ask();
      if (path === 'sys/leases/renew') answered.push(clock.now() - startedMs);
      return envelopeOf(index, options.leaseMs);
    };
    const registry = new LeaseRegistry({ clock, random, logger: silentLogger, send });
    const owner = endlessToken(clock.now());
    let issued = 0;
    const obtain = async (leaseOptions: { reserveMs: number; first: boolean }) => {
      ask();
      issued += 1;
      if (issued > 1) {
        report.replaced += 1;
        answered.push(clock.now() - startedMs);
      }
      const envelope = envelopeOf(index + issued / 1_000, options.leaseMs);
      const lease = registry.track(envelope, owner, undefined, clock.now(), leaseOptions);
      return {
        value: undefined,
        issuedAtMs: lease.issuedAtMs,
        get expiresAtMs() {
          return lease.expiresAtMs;
        },
        revoke: () => lease.revoke(),
        onSuperseded: (listener: Parameters<typeof lease.onEnding>[0]) => lease.onEnding(listener),
      };
    };
    registry.onChange(({ type }) => {
      if (type === 'gone') report.lost += 1;
    });
    return RotatingCredential.open({ provider: { name: 'fleet', obtain }, clock, random });
  };
  const credentials: Promise<RotatingCredential<undefined>>[] = [];
  for (let index = 0; index < options.clients; index += 1) {
    clock.setTimer(random() * options.startMs, () => void credentials.push(client(index)));
  }
  await clock.advance(options.horizonMs);
  const renewals = answered.length;
  const meanPerMinute = (renewals * 60_000) / options.horizonMs;
  const peakPerMinute = peakOf(answered);
  return { ...report, renewals, meanPerMinute, peakPerMinute, ratio: peakPerMinute / meanPerMinute };
}

function envelopeOf(id: number, leaseMs: number): VaultEnvelope {
  const leaseId = `database/creds/fleet/${id}`;
  return { status: 200, leaseId, leaseSeconds: leaseMs / 1_000, renewable: true, data: {}, warnings: [] };
}

function endlessToken(issuedAtMs: number): TokenRecord {
  return new TokenRecord({
    secret: new Secret('fleet'),
    accessor: 'fleet',
    type: 'service',
    generation: 1,
    issuedAtMs,
    lifetimeMs: Number.POSITIVE_INFINITY,
    renewable: true,
  });
}

/** The most of these moments, which are in order, that fit into 60 seconds. */
function peakOf(momentsMs: readonly number[]): number {
  let peak = 0;
  let from = 0;
  for (let to = 0; to < momentsMs.length; to += 1) {
    while ((momentsMs[to] ?? 0) - (momentsMs[from] ?? 0) >= 60_000) from += 1;
    peak = Math.max(peak, to - from + 1);
  }
  return peak;
}

/** Numbers in [0, 1) that depend on the seed alone: a Weyl sequence whose bits are mixed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

const STEP_MS = 500;

/** Many timers at little cost: time goes on in steps, and what is due within one runs together. */
class SteppedClock implements Clock {
  readonly #slots = new Map<number, Set<() => void>>();
  #nowMs = 1_700_000_000_000;

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const slot = Math.floor(this.#nowMs / STEP_MS) + Math.max(1, Math.ceil(delayMs / STEP_MS));
    const due = this.#slots.get(slot) ?? new Set();
    this.#slots.set(slot, due.add(callback));
    return { cancel: () => due.delete(callback) };
  }

  async advance(ms: number): Promise<void> {
    const from = Math.floor(this.#nowMs / STEP_MS);
    for (let slot = from + 1; slot <= from + ms / STEP_MS; slot += 1) {
      this.#nowMs = slot * STEP_MS;
      const due = this.#slots.get(slot);
      if (due === undefined) continue;
      this.#slots.delete(slot);
      for (const callback of due) callback();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

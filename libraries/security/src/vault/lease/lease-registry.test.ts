import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { VaultError } from '../errors.ts';
import { silentLogger } from '../observe.ts';
import { TokenRecord } from '../token/token-record.ts';
import type { LeaseEnding } from './lease.ts';
import { LeaseRegistry } from './lease-registry.ts';

interface Server {
  readonly ttlMs: number;
  readonly maxTtlMs: number;
  readonly renewable?: boolean;
  readonly fails?: (nowMs: number) => VaultError | undefined;
}

function openRegistry({ ttlMs, maxTtlMs, renewable = true, fails = () => undefined }: Server, random = Math.random) {
  const clock = new FakeClock();
  const issuedAtMs = clock.now();
  const sent: { what: string; atMs: number }[] = [];
  const answer = (durationMs: number): VaultEnvelope => ({
    status: 200,
    leaseId: 'database/creds/role/1',
    leaseSeconds: Math.floor(durationMs / 1_000),
    renewable,
    data: {},
    warnings: [],
  });
  let endsAtMs = issuedAtMs + Math.min(ttlMs, maxTtlMs);
  const registry = new LeaseRegistry({
    clock,
    random,
    logger: silentLogger,
    async send({ path }) {
      sent.push({ what: path.split('/').at(-1) ?? '', atMs: clock.now() });
      const failure = fails(clock.now());
      if (failure !== undefined) throw failure;
      if (endsAtMs <= clock.now()) throw new VaultError('lease-not-found', 'gone', { status: 400 });
      endsAtMs = Math.min(clock.now() + ttlMs, issuedAtMs + maxTtlMs);
      return answer(endsAtMs - clock.now());
    },
  });
  const owner = (lifetimeMs: number, generation = 1): TokenRecord =>
    new TokenRecord({
      secret: new Secret('token'),
      accessor: 'a',
      type: 'service',
      generation,
      issuedAtMs: clock.now(),
      lifetimeMs,
      renewable: true,
    });
  const track = (token: TokenRecord, options: { reserveMs?: number; first?: boolean } = {}) =>
    registry.track(answer(Math.min(ttlMs, maxTtlMs)), token, { password: 'p' }, clock.now(), options);
  return { registry, clock, sent, owner, track };
}

const HOUR = 3_600_000;

describe('LeaseRegistry', () => {
  test('whatever its limits, a lease asks to be replaced while enough is left to drain what uses it', async () => {
    const draws = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
      minLength: 1,
      maxLength: 9,
    });
    const ttl = fc.integer({ min: 30, max: 10_000 });
    await fc.assert(
      fc.asyncProperty(ttl, ttl, fc.boolean(), fc.boolean(), draws, async (ttlS, maxS, renewable, first, values) => {
        const ttlMs = ttlS * 1_000;
        const maxTtlMs = Math.max(ttlMs, maxS * 1_000);
        let drawn = 0;
        const random = (): number => {
          drawn += 1;
          return values[drawn % values.length] ?? 0;
        };
        const { clock, owner, track, sent } = openRegistry({ ttlMs, maxTtlMs, renewable }, random);
        const lease = track(owner(1_000 * HOUR), { reserveMs: 5_000, first });
        const ending = new Promise<[LeaseEnding, number]>((resolve) => {
          lease.onEnding((reason) => resolve([reason, lease.expiresAtMs - clock.now()]));
        });
        await clock.advance(maxTtlMs);
        const [reason, leftMs] = await ending;
        expect(reason).toBe(renewable ? 'max-ttl' : 'due');
        expect(leftMs).toBeGreaterThanOrEqual(4_000);
        expect(sent.length).toBeLessThanOrEqual((maxTtlMs / ttlMs) * 2 + 10);
      }),
      { numRuns: 100 },
    );
  });

  test('a lease of 768 hours makes no hot loop', async () => {
    const { clock, owner, track, sent } = openRegistry({ ttlMs: 768 * HOUR, maxTtlMs: 100_000 * HOUR });
    track(owner(Number.POSITIVE_INFINITY));
    await clock.advance(10 * 768 * HOUR);
    expect(sent.length).toBeGreaterThanOrEqual(10);
    expect(sent.length).toBeLessThanOrEqual(15);
  });

  test('a lease ends with the token that made it', () => {
    const { owner, track, clock } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const token = owner(600_000);
    const lease = track(token);
    expect(lease.expiresAtMs).toBe(clock.now() + 600_000);
    token.expiresAtMs += 60_000;
    expect(lease.expiresAtMs).toBe(clock.now() + 660_000);
  });

  test('a lease whose token was replaced while it was being made asks to be replaced at once', () => {
    const { owner, track } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const token = owner(HOUR);
    token.retired = true;
    const reasons: LeaseEnding[] = [];
    track(token).onEnding((reason) => reasons.push(reason));
    expect(reasons).toEqual(['token-replaced']);
  });

  test('a hand-over waits for what the users of a lease do about it', async () => {
    const { registry, owner, track } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const token = owner(HOUR);
    const lease = track(token);
    let moved = false;
    lease.onEnding(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      moved = true;
      await lease.revoke();
    });
    await registry.handOver(token, true);
    expect(moved).toBe(true);
    expect(registry.list()).toEqual([]);
    expect(registry.whenGone(token)).toBeUndefined();
  });

  test('passing failures are repeated until the end, a refusal ends the lease at once', async () => {
    const start = new FakeClock().now();
    const passing = new VaultError('network', 'away', { retryable: true });
    const away = openRegistry({
      ttlMs: 60_000,
      maxTtlMs: HOUR,
      fails: (nowMs) => (nowMs < start + 55_000 ? passing : undefined),
    });
    const lease = away.track(away.owner(HOUR));
    await away.clock.advance(60_000);
    expect(lease.expiresAtMs).toBeGreaterThan(away.clock.now());
    expect(away.sent.length).toBeLessThan(60);
    const refusal = new VaultError('permission-denied', 'no', { status: 403 });
    const refusing = openRegistry({ ttlMs: 60_000, maxTtlMs: HOUR, fails: () => refusal });
    const reasons: LeaseEnding[] = [];
    refusing.track(refusing.owner(HOUR)).onEnding((reason) => reasons.push(reason));
    await refusing.clock.advance(50_000);
    expect(reasons).toEqual(['renewal-refused']);
    expect(refusing.sent).toHaveLength(1);
  });

  test('a lease that no renewal reaches in time is replaced while there is time to drain', async () => {
    const passing = new VaultError('network', 'away', { retryable: true });
    const { clock, owner, track, sent } = openRegistry({ ttlMs: 60_000, maxTtlMs: HOUR, fails: () => passing });
    const endings: [LeaseEnding, number][] = [];
    const lease = track(owner(HOUR), { reserveMs: 17_000 });
    lease.onEnding((reason) => endings.push([reason, lease.expiresAtMs - clock.now()]));
    await clock.advance(60_000);
    expect(endings).toEqual([['overdue', 17_000]]);
    // The last try is at that moment.
    expect(sent.at(-1)?.atMs).toBe(lease.expiresAtMs - 17_000);
  });

  test('a renewal that is never answered costs no more than the time there is', async () => {
    const clock = new FakeClock();
    const send = () => new Promise<never>(() => undefined);
    const registry = new LeaseRegistry({ clock, random: () => 0.5, logger: silentLogger, send });
    const { owner } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const envelope = { status: 200, leaseId: 'a/b', leaseSeconds: 60, renewable: true, data: {}, warnings: [] };
    const lease = registry.track(envelope, owner(HOUR), {}, clock.now(), { reserveMs: 5_000 });
    const endings: [LeaseEnding, number][] = [];
    lease.onEnding((reason) => endings.push([reason, lease.expiresAtMs - clock.now()]));
    await clock.advance(60_000);
    expect(endings).toEqual([['overdue', 5_000]]);
  });

  test('any number of leases take one timer', () => {
    const clock = new FakeClock();
    let timers = 0;
    const counted = {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer(delayMs: number, callback: () => void) {
        timers += 1;
        const timer = clock.setTimer(delayMs, callback);
        return {
          cancel() {
            timers -= 1;
            timer.cancel();
          },
        };
      },
    };
    const send = () => Promise.reject(new Error('unreachable'));
    const registry = new LeaseRegistry({ clock: counted, random: Math.random, logger: silentLogger, send });
    const { owner } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const token = owner(HOUR);
    for (let index = 0; index < 1_000; index += 1) {
      const leaseId = `database/creds/role/${index}`;
      const envelope = { status: 200, leaseId, leaseSeconds: 3_600, renewable: true, data: {}, warnings: [] };
      registry.track(envelope, token, {}, clock.now(), {});
    }
    expect(registry.size).toBe(1_000);
    expect(timers).toBe(1);
  });

  test('a process that slept past the end of a lease asks the server before it gives the lease up', async () => {
    const wall = { aheadMs: 0 };
    const inner = new FakeClock();
    const clock = {
      now: () => inner.now() + wall.aheadMs,
      monotonicMs: () => inner.now(),
      setTimer: (delayMs: number, callback: () => void) => inner.setTimer(delayMs, callback),
    };
    const sent: string[] = [];
    const registry = new LeaseRegistry({
      clock,
      random: () => 0.5,
      logger: silentLogger,
      async send({ path }) {
        sent.push(path);
        return { status: 200, leaseId: 'a/b', leaseSeconds: 600, renewable: true, data: {}, warnings: [] };
      },
    });
    const { owner } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const envelope = { status: 200, leaseId: 'a/b', leaseSeconds: 600, renewable: true, data: {}, warnings: [] };
    const lease = registry.track(envelope, owner(24 * HOUR), {}, clock.now(), {});
    lease.onEnding(() => expect.unreachable());
    wall.aheadMs = HOUR;
    await inner.advance(60_000);
    expect(sent).toEqual(['sys/leases/renew']);
    expect(lease.expiresAtMs).toBeGreaterThan(clock.now());
  });

  test('a clock that is set back moves the ends of leases and their token along', async () => {
    const wall = { aheadMs: 0 };
    const inner = new FakeClock();
    const clock = {
      now: () => inner.now() + wall.aheadMs,
      monotonicMs: () => inner.now(),
      setTimer: (delayMs: number, callback: () => void) => inner.setTimer(delayMs, callback),
    };
    const send = () => Promise.reject(new Error('unreachable'));
    const registry = new LeaseRegistry({ clock, random: () => 0.5, logger: silentLogger, send });
    const { owner } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const token = owner(2 * HOUR);
    const envelope = { status: 200, leaseId: 'a/b', leaseSeconds: 3_600, renewable: true, data: {}, warnings: [] };
    const lease = registry.track(envelope, token, {}, clock.now(), {});
    wall.aheadMs = -HOUR;
    await inner.advance(10 * 60_000);
    expect(lease.expiresAtMs - clock.now()).toBe(50 * 60_000);
    expect(token.expiresAtMs - clock.now()).toBe(110 * 60_000);
  });

  test('an answer without a lease is refused', () => {
    const { registry, owner } = openRegistry({ ttlMs: HOUR, maxTtlMs: HOUR });
    const envelope = { status: 200, leaseId: '', leaseSeconds: 0, renewable: false, data: {}, warnings: [] };
    expect(() => registry.track(envelope, owner(HOUR), {}, 0, {})).toThrow(/no lease/);
  });
});

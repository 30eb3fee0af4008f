import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clock, Secret } from '../../common/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { VaultError } from '../errors.ts';
import { silentLogger } from '../observe.ts';
import { type TokenReplaced, TokenSession } from './token-session.ts';

interface Issuer {
  readonly ttlMs: number;
  readonly maxTtlMs: number;
  /** Whether the server cannot be reached at this time. */
  readonly away?: (nowMs: number, what: string) => boolean;
}

/** Tokens by the rules of the server: a renewal gives the TTL again, capped by the maximum since the login. */
function openSession({ ttlMs, maxTtlMs, away = () => false }: Issuer, random: () => number = Math.random) {
  const clock = new FakeClock();
  let offsetMs = 0;
  /** What the process sees; the server lives by `clock`, which never jumps. */
  const own: Clock = {
    now: () => clock.now() + offsetMs,
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
  };
  const jump = (ms: number): void => {
    offsetMs += ms;
  };
  const tokens = new Map<string, { issuedAtMs: number; endsAtMs: number }>();
  let issued = 0;
  const log: { what: string; atMs: number }[] = [];
  const replaced: TokenReplaced[] = [];
  const note = (what: string): void => {
    log.push({ what, atMs: clock.now() });
    if (away(clock.now(), what)) throw new VaultError('network', 'away', { retryable: true });
  };
  const answer = (token: string, durationMs: number): VaultEnvelope => ({
    status: 200,
    leaseId: '',
    leaseSeconds: 0,
    renewable: false,
    data: { ttl: durationMs / 1_000 },
    warnings: [],
    auth: {
      token: new Secret(token),
      accessor: token,
      leaseSeconds: Math.floor(durationMs / 1_000),
      renewable: true,
      type: 'service',
      policies: [],
    },
  });
  const session = new TokenSession({
    auth: {
      method: 'test',
      issues: true,
      async login() {
        note('login');
        issued += 1;
        const token = `t${issued}`;
        const durationMs = Math.min(ttlMs, maxTtlMs);
        tokens.set(token, { issuedAtMs: clock.now(), endsAtMs: clock.now() + durationMs });
        const { auth } = answer(token, durationMs);
        if (auth === undefined) throw new Error('unreachable');
        return auth;
      },
    },
    async send({ path }, secret) {
      const what = path.split('/').at(-1) ?? '';
      note(what);
      const name = secret?.reveal() ?? '';
      const token = tokens.get(name);
      if (token === undefined || token.endsAtMs <= clock.now())
        throw new VaultError('permission-denied', 'dead', { status: 403 });
      if (what === 'revoke-self') tokens.delete(name);
      token.endsAtMs = Math.min(clock.now() + ttlMs, token.issuedAtMs + maxTtlMs);
      return answer(name, token.endsAtMs - clock.now());
    },
    clock: own,
    random,
    logger: silentLogger,
    metrics: undefined,
    handOverMs: 5_000,
    loginBackoffCapMs: 30_000,
    handOver: (event) => Promise.resolve(void replaced.push(event)),
    leasesGone: () => undefined,
  });
  const count = (what: string): number => log.filter((entry) => entry.what === what).length;
  return { session, clock, jump, tokens, log, replaced, count };
}

const HOUR = 3_600_000;

describe('TokenSession', () => {
  test('a token of 768 hours is renewed about once in three quarters of its life, not in a hot loop', async () => {
    const { session, clock, count } = openSession({ ttlMs: 768 * HOUR, maxTtlMs: 100 * 768 * HOUR });
    await session.start(undefined);
    await clock.advance(10 * 768 * HOUR);
    expect(count('renew-self')).toBeGreaterThanOrEqual(10);
    expect(count('renew-self')).toBeLessThanOrEqual(15);
    expect(count('login')).toBe(1);
  });

  test('whatever the two limits of a token, there is a live one at every moment and logins do not pile up', async () => {
    const ttl = fc.integer({ min: 20, max: 5_000 });
    const draws = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
      minLength: 1,
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(ttl, fc.integer({ min: 1, max: 10 }), draws, async (ttlSeconds, factor, values) => {
        const ttlMs = ttlSeconds * 1_000;
        const maxTtlMs = ttlMs * factor;
        let drawn = 0;
        const random = (): number => {
          drawn += 1;
          return values[drawn % values.length] ?? 0;
        };
        const { session, clock, tokens, count } = openSession({ ttlMs, maxTtlMs }, random);
        await session.start(undefined);
        for (let step = 0; step < 60; step += 1) {
          await clock.advance(maxTtlMs / 10);
          const { secret, expiresAtMs } = session.current;
          expect(expiresAtMs).toBeGreaterThan(clock.now());
          // Replaced tokens are revoked, so there is never more than one.
          expect([...tokens.keys()]).toEqual([secret.reveal()]);
        }
        // Six maximum lifetimes; each token but the first is used for more than half of one.
        expect(count('login')).toBeLessThanOrEqual(14);
        await session.close({ revoke: true });
      }),
      { numRuns: 60 },
    );
  });

  test('a server that is away for ten seconds just before the renewal costs nothing', async () => {
    const base = new FakeClock().now();
    const away = (nowMs: number): boolean => nowMs > base + 20_000 && nowMs < base + 75_000;
    const { session, clock, log, replaced } = openSession({ ttlMs: 90_000, maxTtlMs: HOUR, away });
    await session.start(undefined);
    for (let second = 0; second < 89; second += 1) {
      await clock.advance(1_000);
      expect(session.current.expiresAtMs).toBeGreaterThan(clock.now());
    }
    await clock.advance(60_000);
    expect(session.current.expiresAtMs).toBeGreaterThan(clock.now());
    expect(replaced).toEqual([]);
    expect(log.length).toBeLessThan(60);
  });

  test('while logins fail the pauses grow, and the first success is soon after the server is back', async () => {
    const base = new FakeClock().now();
    const backAtMs = base + 2 * HOUR;
    const { session, clock, count } = openSession({
      ttlMs: 60_000,
      maxTtlMs: 60_000,
      away: (nowMs) => nowMs > base && nowMs < backAtMs,
    });
    await session.start(undefined);
    await clock.advance(2 * HOUR);
    expect(count('login') + count('renew-self')).toBeLessThan(1_500);
    await clock.advance(60_000);
    expect(session.current.generation).toBeGreaterThan(1);
    expect(session.current.expiresAtMs).toBeGreaterThan(clock.now());
  });

  test('a hundred refused calls of a dead token share one look-up and one login', async () => {
    const { session, tokens, count } = openSession({ ttlMs: HOUR, maxTtlMs: HOUR });
    await session.start(undefined);
    const used = session.current;
    tokens.clear();
    const results = await Promise.all(Array.from({ length: 100 }, () => session.recover(used)));
    expect(results.every(Boolean)).toBe(true);
    expect(count('lookup-self')).toBe(1);
    expect(count('login')).toBe(2);
  });

  test('a dead token while logins fail makes no storm of logins', async () => {
    let down = false;
    const away = (_nowMs: number, what: string): boolean => down && what === 'login';
    const { session, clock, tokens, count } = openSession({ ttlMs: HOUR, maxTtlMs: HOUR, away });
    await session.start(undefined);
    const used = session.current;
    tokens.clear();
    down = true;
    for (let call = 0; call < 100; call += 1) expect(await session.recover(used)).toBe(false);
    expect(count('login')).toBe(2);
    down = false;
    await clock.advance(60_000);
    expect(session.current.generation).toBe(2);
    expect(tokens.size).toBe(1);
  });

  test('a replacement logs in, hands over and then revokes, in this order', async () => {
    const { session, log, replaced } = openSession({ ttlMs: HOUR, maxTtlMs: HOUR });
    await session.start(undefined);
    await session.replace('forced');
    expect(log.map(({ what }) => what)).toEqual(['login', 'login', 'revoke-self']);
    expect(replaced).toMatchObject([{ reason: 'forced', previousAlive: true }]);
    expect(session.current.generation).toBe(2);
  });

  test('the old token waits for the requests that still use it', async () => {
    const { session, log } = openSession({ ttlMs: HOUR, maxTtlMs: HOUR });
    await session.start(undefined);
    let finish: () => void = () => undefined;
    const request = session.current.use(() => new Promise<void>((resolve) => (finish = resolve)));
    const replacing = session.replace('forced');
    await new Promise((resolve) => setImmediate(resolve));
    expect(session.current.generation).toBe(2);
    expect(log.some(({ what }) => what === 'revoke-self')).toBe(false);
    finish();
    await Promise.all([request, replacing]);
    expect(log.at(-1)?.what).toBe('revoke-self');
  });

  test.each([
    ['set forward', HOUR],
    ['set back', -HOUR],
  ])('a clock that is %s by an hour costs a login at most, and the token stays alive', async (_how, ms) => {
    const { session, clock, jump, tokens, count } = openSession({ ttlMs: 600_000, maxTtlMs: 100 * HOUR });
    await session.start(undefined);
    await clock.advance(60_000);
    jump(ms);
    for (let minute = 0; minute < 120; minute += 1) {
      await clock.advance(60_000);
      const { endsAtMs = 0 } = tokens.get(session.current.secret.reveal()) ?? {};
      expect(endsAtMs).toBeGreaterThan(clock.now());
    }
    expect(count('login')).toBeLessThanOrEqual(2);
    // Two hours of a token of ten minutes: no hot loop.
    expect(count('renew-self')).toBeLessThanOrEqual(30);
  });

  test('after a suspension that outlasts the token one login brings the next, within minutes or at the first refusal', async () => {
    for (const wakesBy of ['a look at the clock', 'a refused call'] as const) {
      const { session, clock, jump, tokens, count } = openSession({ ttlMs: HOUR, maxTtlMs: 100 * HOUR });
      await session.start(undefined);
      await clock.advance(1_000);
      // Eight hours for everybody else; the timers of this process stood still.
      jump(8 * HOUR);
      tokens.clear();
      if (wakesBy === 'a refused call') expect(await session.recover(session.current)).toBe(true);
      for (let minutes = 0; minutes < 6 && session.current.generation === 1; minutes += 1) await clock.advance(60_000);
      expect(session.current.generation).toBe(2);
      await clock.advance(60_000);
      expect(count('login')).toBe(2);
      expect(tokens.size).toBe(1);
    }
  });

  test('a certificate that changes during a login brings one more login, and the token before is not renewed', async () => {
    const { session, log, replaced } = openSession({ ttlMs: HOUR, maxTtlMs: HOUR });
    await session.start(undefined);
    const forced = session.replace('forced');
    await session.certificateChanged();
    await forced;
    expect(session.current.generation).toBe(3);
    expect(replaced.map(({ reason }) => reason)).toEqual(['forced', 'certificate-rotated']);
    expect(log.map(({ what }) => what)).toEqual(['login', 'login', 'revoke-self', 'login', 'revoke-self']);
  });
});

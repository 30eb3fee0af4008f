import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { TokenCache, type TokenCacheOptions } from './token-cache.ts';

const LIFE_MS = 100_000;

/** A cache whose tokens are numbered; `fail` has the source fail. */
function stage(options: Partial<TokenCacheOptions<string>> = {}, lifeMs = LIFE_MS) {
  const clock = new FakeClock();
  const counted = { hits: 0, misses: 0, success: 0, failure: 0, size: 0 };
  const source = { fetched: 0, fail: false, signals: [] as AbortSignal[] };
  const cache = new TokenCache<string>({
    async fetch(key, { signal }) {
      source.fetched += 1;
      source.signals.push(signal);
      const number = source.fetched;
      await new Promise((resolve) => setImmediate(resolve));
      if (source.fail) throw new Error('away');
      return { value: `${key}${number}`, expiresAtMs: clock.now() + lifeMs };
    },
    clock,
    random: () => 0,
    metrics: {
      hit: () => {
        counted.hits += 1;
      },
      miss: () => {
        counted.misses += 1;
      },
      refresh: (status) => {
        counted[status] += 1;
      },
      resize: (by) => {
        counted.size += by;
      },
    },
    ...options,
  });
  return { cache, clock, counted, source };
}

describe('a lazy cache', () => {
  test('serves the token it has, fetches another in the last part of its life, and nobody waits for that', async () => {
    const { cache, clock, counted, source } = stage();
    expect(await cache.get('a')).toBe('a1');
    await clock.advance(79_000);
    expect(await cache.get('a')).toBe('a1');
    expect(source.fetched).toBe(1);
    await clock.advance(2_000);
    expect(await Promise.all([cache.get('a'), cache.get('a')])).toEqual(['a1', 'a1']);
    await clock.advance(1_000);
    expect(await cache.get('a')).toBe('a2');
    expect(counted).toEqual({ hits: 4, misses: 1, success: 1, failure: 0, size: 1 });
  });

  test('gives a token that was refreshed its own new end', async () => {
    const { cache, clock, source } = stage();
    await cache.get('a');
    await clock.advance(90_000);
    await cache.get('a');
    await clock.advance(70_000);
    expect(await cache.get('a')).toBe('a2');
    expect(source.fetched).toBe(2);
  });

  test('does nothing while nobody asks', async () => {
    const { cache, clock, source } = stage();
    await cache.get('a');
    await clock.advance(10 * LIFE_MS);
    expect(source.fetched).toBe(1);
    expect(clock.nextAtMs).toBeUndefined();
  });

  test('never serves an expired token, whatever the times', async () => {
    const waits = fc.array(fc.integer({ min: 0, max: 2 * LIFE_MS }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(waits, fc.constantFrom('eager' as const, 'lazy' as const), async (steps, strategy) => {
        const ends = new Map<string, number>();
        const clock = new FakeClock();
        let fetched = 0;
        const cache = new TokenCache<string>({
          strategy,
          clock,
          async fetch() {
            fetched += 1;
            if (fetched % 3 === 2) throw new Error('away');
            ends.set(`t${fetched}`, clock.now() + LIFE_MS);
            return { value: `t${fetched}`, expiresAtMs: clock.now() + LIFE_MS };
          },
        });
        for (const step of steps) {
          await clock.advance(step);
          const token = await cache.get('a').catch(() => undefined);
          if (token !== undefined) expect(ends.get(token)).toBeGreaterThan(clock.now());
        }
        cache.close();
      }),
      { numRuns: 50 },
    );
  });
});

describe('an eager cache', () => {
  test('replaces a token that is in use before its end, and leaves one that is not to expire', async () => {
    const { cache, clock, counted, source } = stage({ strategy: 'eager' });
    await cache.get('a');
    await cache.get('a');
    await cache.get('b');
    await clock.advance(81_000);
    expect(counted.success).toBe(1);
    expect(await cache.get('a')).toBe('a3');
    await clock.advance(LIFE_MS);
    expect(source.fetched).toBe(4);
  });

  test('tries again after a failure, while the old token serves', async () => {
    const { cache, clock, counted, source } = stage({ strategy: 'eager' });
    await cache.get('a');
    await cache.get('a');
    source.fail = true;
    await clock.advance(91_000);
    expect(await cache.get('a')).toBe('a1');
    expect(counted.failure).toBeGreaterThanOrEqual(2);
    source.fail = false;
    await clock.advance(8_000);
    expect(await cache.get('a')).not.toBe('a1');
    expect(counted.success).toBe(1);
  });

  test('spreads its refreshes', async () => {
    const { cache, clock, source } = stage({ strategy: 'eager', random: () => 0.999 });
    await cache.get('a');
    await cache.get('a');
    await clock.advance(73_000);
    expect(source.fetched).toBe(2);
  });

  test('stops with the cache', async () => {
    const { cache, clock, counted, source } = stage({ strategy: 'eager' });
    await cache.get('a');
    await cache.get('a');
    cache.close();
    await clock.advance(2 * LIFE_MS);
    expect(source.fetched).toBe(1);
    expect(counted.size).toBe(0);
    expect(clock.nextAtMs).toBeUndefined();
    await expect(cache.get('a')).rejects.toThrow('closed');
  });
});

test('a disabled cache keeps nothing', async () => {
  const { cache, counted } = stage({ strategy: 'disabled' });
  expect([await cache.get('a'), await cache.get('a')]).toEqual(['a1', 'a2']);
  expect(counted).toMatchObject({ hits: 0, misses: 2, size: 0 });
});

test('callers that miss together share one fetch, and one that gives up takes it from nobody', async () => {
  const { cache, source } = stage();
  const stop = new AbortController();
  const impatient = cache.get('a', { signal: stop.signal });
  const others = Array.from({ length: 100 }, () => cache.get('a'));
  stop.abort(new Error('enough'));
  await expect(impatient).rejects.toThrow('enough');
  expect(new Set(await Promise.all(others))).toEqual(new Set(['a1']));
  expect(source.fetched).toBe(1);
});

test('a failure reaches those who waited for it and is not kept', async () => {
  const { cache, source } = stage();
  source.fail = true;
  await expect(cache.get('a')).rejects.toThrow('away');
  source.fail = false;
  expect(await cache.get('a')).toBe('a2');
});

test('it holds no more than it may; what was used stays longer', async () => {
  const { cache, counted } = stage({ maxEntries: 2, strategy: 'eager' });
  await cache.get('a');
  await cache.get('b');
  await cache.get('a');
  await cache.get('c');
  expect([cache.size, counted.size]).toEqual([2, 2]);
  expect(await cache.get('a')).toBe('a1');
  expect(await cache.get('b')).toBe('b4');
});

test('what was deleted is fetched anew, and closing aborts the fetch under way', async () => {
  const { cache, source } = stage();
  await cache.get('a');
  cache.delete('a');
  expect(await cache.get('a')).toBe('a2');
  const waiting = cache.get('b');
  cache.close();
  await expect(waiting).rejects.toThrow('closed');
  expect(source.signals.at(-1)?.aborted).toBe(true);
});

test.each([
  ['maxEntries', { maxEntries: 0 }],
  ['refreshShare', { refreshShare: 1 }],
])('a wrong %s is named', (option, options) => {
  expect(() => stage(options)).toThrow(option);
});

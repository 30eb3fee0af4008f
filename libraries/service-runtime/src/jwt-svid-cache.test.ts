import type { JwtSvid } from '@neural-hive/security/spiffe';
import { beforeEach, expect, test } from 'vitest';
import { JwtSvidCache } from './jwt-svid-cache.ts';

const settings = { strategy: 'lazy', maxEntries: 2, refreshShare: 0.8 } as const;
let fetched: (string | readonly string[])[];
let cache: JwtSvidCache;

beforeEach(() => {
  fetched = [];
  const source = {
    async fetchJwtSvid({ audience }: { audience: string | readonly string[] }) {
      fetched.push(audience);
      const issuedAtMs = Date.now();
      return { audience, issuedAtMs, expiresAtMs: issuedAtMs + 60_000 + fetched.length } as unknown as JwtSvid;
    },
  };
  cache = new JwtSvidCache({ source, settings });
});

test('a token is fetched once for an audience, whatever the order of its names', async () => {
  const one = await cache.fetchJwtSvid({ audience: ['b', 'a'] });
  expect(await cache.fetchJwtSvid({ audience: ['a', 'b'] })).toBe(one);
  expect(await cache.fetchJwtSvid({ audience: 'a' })).not.toBe(one);
  expect(fetched).toEqual([['a', 'b'], ['a']]);
});

test('no more tokens are kept than the settings say', async () => {
  for (const audience of ['a', 'b', 'c', 'a']) await cache.fetchJwtSvid({ audience });
  expect(fetched).toEqual([['a'], ['b'], ['c'], ['a']]);
});

test('the board sees the newest token of an audience', async () => {
  const entry = cache.entry('a');
  expect(entry).toMatchObject({ name: 'jwt-svid/a', kind: 'listed' });
  expect(entry.describe()).toMatchObject({ generation: 0 });
  const { expiresAtMs } = await cache.fetchJwtSvid({ audience: 'a' });
  expect(entry.describe()).toEqual({ generation: 1, ttlSeconds: 60, expiresAtMs });
});

test('a closed one gives nothing', async () => {
  await cache.fetchJwtSvid({ audience: 'a' });
  cache.close();
  await expect(cache.fetchJwtSvid({ audience: 'a' })).rejects.toThrow('closed');
});

import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { TokenCache } from '../../cache/index.ts';
import { prometheusTokenCacheMetrics } from './token-cache.ts';

test('hits, misses, refreshes and size are counted under the documented names, over all caches', async () => {
  const registry = new Registry();
  const metrics = prometheusTokenCacheMetrics(registry);
  const fetch = async () => ({ value: 't', expiresAtMs: Date.now() + 60_000 });
  const caches = [new TokenCache({ fetch, metrics }), new TokenCache({ fetch, metrics })];
  for (const cache of caches) {
    await cache.get('a');
    await cache.get('a');
  }
  metrics.refresh('failure');
  const text = await registry.metrics();
  for (const line of [
    'token_cache_hits_total 2',
    'token_cache_misses_total 2',
    'token_cache_refresh_total{status="failure"} 1',
    'cache_size 2',
  ]) {
    expect(text).toContain(line);
  }
});

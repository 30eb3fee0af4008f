import type { TokenCacheMetrics } from '../../cache/index.ts';
import type { Instruments } from './instruments.ts';

/** What the token caches of a process do; they share it and add up. */
export function tokenCacheMetrics(instruments: Instruments): TokenCacheMetrics {
  let kept = 0;
  const hits = instruments.counter('token_cache_hits_total', 'Tokens that were served from the cache', []);
  const misses = instruments.counter(
    'token_cache_misses_total',
    'Tokens that had to be fetched before they were served',
    [],
  );
  const refreshes = instruments.counter(
    'token_cache_refresh_total',
    'Tokens that were fetched anew while the old one served',
    ['status'],
  );
  instruments.gauge('cache_size', 'Tokens that are kept', [], () => [{ labels: {}, value: kept }]);
  return {
    hit: () => hits({}),
    miss: () => misses({}),
    refresh: (status) => refreshes({ status }),
    resize(by) {
      kept += by;
    },
  };
}

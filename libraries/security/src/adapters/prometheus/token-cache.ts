import { Counter, Gauge, type Registry } from 'prom-client';
import type { TokenCacheMetrics } from '../../cache/index.ts';

/** Counts what the token caches of a process do in `registry`. Call it once per registry and share it: the caches add up. */
export function prometheusTokenCacheMetrics(registry: Registry): TokenCacheMetrics {
  const hits = new Counter({
    name: 'token_cache_hits_total',
    help: 'Tokens that were served from the cache',
    registers: [registry],
  });
  const misses = new Counter({
    name: 'token_cache_misses_total',
    help: 'Tokens that had to be fetched before they were served',
    registers: [registry],
  });
  const refreshes = new Counter({
    name: 'token_cache_refresh_total',
    help: 'Tokens that were fetched anew while the old one served',
    labelNames: ['status'],
    registers: [registry],
  });
  const size = new Gauge({
    name: 'cache_size',
    help: 'Tokens that are kept',
    registers: [registry],
  });
  return {
    hit: () => hits.inc(),
    miss: () => misses.inc(),
    refresh: (status) => refreshes.inc({ status }),
    resize: (by) => size.inc(by),
  };
}

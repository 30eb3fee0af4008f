export { type CachedToken, TokenCache, type TokenCacheOptions, type TokenCacheStrategy } from './token-cache.ts';
export type { TokenCacheMetrics } from './token-cache-metrics.ts';

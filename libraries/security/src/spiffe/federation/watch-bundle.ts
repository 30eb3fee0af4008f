import { sleep, systemClock } from '../../common/index.ts';
import type { SpiffeBundle } from '../bundle/spiffe/spiffe-bundle.ts';
import { type BundleEndpoint, resolveEndpoint } from './bundle-endpoint.ts';
import { type FetchBundleOptions, fetchResolved } from './fetch-bundle.ts';

export interface RefreshLimits {
  /** Between two fetches without a hint, in milliseconds; default 300 000. */
  readonly defaultRefreshMs?: number;
  /** A hint below is raised to this, in milliseconds; default 1 000. */
  readonly minRefreshMs?: number;
  /** A hint above is lowered to this, in milliseconds; default 86 400 000. */
  readonly maxRefreshMs?: number;
}

export interface WatchBundleOptions extends Omit<FetchBundleOptions, 'signal'>, RefreshLimits {
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

export interface BundleWatchHandler {
  /** Every bundle that was fetched, also when it says the same as the one before. */
  update(bundle: SpiffeBundle): void;
  /** A fetch failed, or `update` threw; the next one comes at its usual time. */
  error?(error: unknown): void;
}

/**
 * Fetches a bundle now and then whenever its refresh hint says so, until the signal is aborted; then it resolves. A
 * failed fetch is repeated at the next interval and not before (Federation, 6.2).
 * @throws TypeError and SpiffeError for a wrong endpoint, before the first fetch
 */
export async function watchBundle(
  endpoint: BundleEndpoint,
  handler: BundleWatchHandler,
  options: WatchBundleOptions,
): Promise<void> {
  const resolved = resolveEndpoint(endpoint);
  const { clock = systemClock, signal } = options;
  let hintSeconds: number | undefined;
  while (!signal.aborted) {
    try {
      const bundle = await fetchResolved(resolved, options);
      hintSeconds = bundle.refreshHintSeconds;
      handler.update(bundle);
    } catch (error) {
      if (!signal.aborted) handler.error?.(error);
    }
    await sleep(refreshMs(hintSeconds, options), { clock, signal }).catch(() => undefined);
  }
}

/** Federation, 4.1 and 6.2: the hint, or five minutes. */
export function refreshMs(hintSeconds: number | undefined, limits: RefreshLimits): number {
  const { defaultRefreshMs = 300_000, minRefreshMs = 1_000, maxRefreshMs = 86_400_000 } = limits;
  const wishedMs = hintSeconds === undefined || hintSeconds === 0 ? defaultRefreshMs : hintSeconds * 1000;
  return Math.min(Math.max(wishedMs, minRefreshMs), maxRefreshMs);
}

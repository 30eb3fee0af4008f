import { type Clock, type Logger, messageOf, sleep } from '../../common/index.ts';
import { compareSequence, type SpiffeBundle, sameKeys } from '../bundle/spiffe/spiffe-bundle.ts';
import type { X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import type { BundleSource } from '../source/bundle-source.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { ResolvedEndpoint } from './bundle-endpoint.ts';
import { type BundleMetrics, bundleReport } from './bundle-metrics.ts';
import { fetchResolved } from './fetch-bundle.ts';
import { type RefreshLimits, refreshMs } from './watch-bundle.ts';

export interface RelationshipHealth {
  readonly trustDomain: string;
  /** `degraded`: the last fetch failed and an older bundle serves on. `unhealthy`: there is no bundle at all. */
  readonly state: 'healthy' | 'degraded' | 'unhealthy';
  readonly lastError?: Error;
  readonly sequence?: bigint;
  /** Of the last fetch that succeeded. */
  readonly fetchedAtMs?: number;
}

export interface PollerOptions extends RefreshLimits {
  readonly endpoint: ResolvedEndpoint;
  /** Where the bundle is kept. */
  readonly store: BundleSource;
  /** Verifies the endpoint's server. */
  readonly bundles: X509BundleSource;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: BundleMetrics | undefined;
}

/** Keeps the bundle of one foreign trust domain current. */
export class RelationshipPoller {
  readonly #options: PollerOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #lastError: Error | undefined;
  #fetchedAtMs: number | undefined;
  #overridden = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  get endpoint(): ResolvedEndpoint {
    return this.#options.endpoint;
  }

  /** Fetches once, and from then on at every interval. Resolves after the first fetch, whatever came of it. */
  async start(): Promise<void> {
    await this.#refresh();
    this.#running = this.#poll();
  }

  /** The operator knows better until the next fetch (Federation, 4.2). */
  override(bundle: SpiffeBundle): void {
    this.#overridden = true;
    this.#options.store.set(bundle);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  health(): RelationshipHealth {
    const { trustDomain } = this.#options.endpoint;
    const bundle = this.#options.store.getSpiffeBundle(trustDomain);
    const served = this.#lastError === undefined ? 'healthy' : 'degraded';
    return {
      trustDomain: trustDomain.name,
      state: bundle === undefined ? 'unhealthy' : served,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(bundle?.sequence === undefined ? {} : { sequence: bundle.sequence }),
      ...(this.#fetchedAtMs === undefined ? {} : { fetchedAtMs: this.#fetchedAtMs }),
    };
  }

  async #poll(): Promise<void> {
    const { store, endpoint, clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const hint = store.getSpiffeBundle(endpoint.trustDomain)?.refreshHintSeconds;
      await sleep(refreshMs(hint, this.#options), { clock, signal }).catch(() => undefined);
      if (!signal.aborted) await this.#refresh();
    }
  }

  /** F-14: every fetch leaves a line. */
  async #refresh(): Promise<void> {
    const { endpoint, bundles, clock, timeoutMs, logger, metrics } = this.#options;
    const trustDomain = endpoint.trustDomain.name;
    const about = { trustDomain, profile: endpoint.profile, host: endpoint.url.host };
    try {
      const bundle = await fetchResolved(endpoint, { bundles, clock, timeoutMs, signal: this.#stop.signal });
      if (this.#stop.signal.aborted) return;
      const change = this.#accept(bundle);
      this.#lastError = undefined;
      this.#fetchedAtMs = clock.now();
      bundleReport(metrics).bundleFetch(trustDomain, change);
      const { sequence, ignored } = bundle;
      logger.info({ ...about, sequence: sequence?.toString(), ignored, change }, 'a trust bundle was fetched');
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#lastError = error instanceof Error ? error : new Error(messageOf(error));
      bundleReport(metrics).bundleFetch(trustDomain, 'error');
      const left = 'a trust bundle could not be fetched; the one before stays';
      logger.warn(
        { ...about, code: error instanceof SpiffeError ? error.code : undefined, cause: messageOf(error) },
        left,
      );
    }
  }

  #accept(next: SpiffeBundle): 'updated' | 'unchanged' {
    const { store, endpoint, logger } = this.#options;
    const current = store.getSpiffeBundle(endpoint.trustDomain);
    const order = current === undefined || this.#overridden ? undefined : compareSequence(next, current);
    // F-10: an endpoint behind others of its kind would otherwise bring back keys that were withdrawn.
    if (order === -1) {
      throw new SpiffeError(
        'BUNDLE_OUTDATED',
        `The bundle of ${endpoint.trustDomain} has sequence ${next.sequence}, which is below ${current?.sequence}: if its publisher began anew, override the bundle`,
        { retryable: true },
      );
    }
    const same = current !== undefined && sameKeys(current, next);
    if (order === 0 && !same) {
      const fields = { trustDomain: endpoint.trustDomain.name, sequence: next.sequence?.toString() };
      logger.warn(fields, 'a trust bundle changed without a new sequence number');
    }
    this.#overridden = false;
    if (same && order === 0 && current.refreshHintSeconds === next.refreshHintSeconds) return 'unchanged';
    store.set(next);
    return same ? 'unchanged' : 'updated';
  }
}

import { events } from '../../common/index.ts';

/** Where fetched trust bundles are counted; the Prometheus and the OpenTelemetry adapter implement it. */
export interface BundleMetrics {
  /** One bundle of a foreign trust domain was fetched, or could not be. */
  bundleFetch(trustDomain: string, status: 'updated' | 'unchanged' | 'error'): void;
}

/** Tells `metrics` and those who listen to the library's events. */
export function bundleReport(metrics: BundleMetrics | undefined): BundleMetrics {
  return {
    bundleFetch(trustDomain, status) {
      metrics?.bundleFetch(trustDomain, status);
      events.bundle.publish(() => ({ trustDomain, status }));
    },
  };
}

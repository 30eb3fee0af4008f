/** Where fetched trust bundles are counted; the Prometheus adapter implements it. */
export interface BundleMetrics {
  /** One bundle of a foreign trust domain was fetched, or could not be. */
  bundleFetch(trustDomain: string, status: 'updated' | 'unchanged' | 'error'): void;
}

import type { Registry } from 'prom-client';
import type { BundleMetrics, SpiffeMetrics } from '../../spiffe/index.ts';
import type { VaultMetrics } from '../../vault/index.ts';
import type { AuthMetrics } from '../grpc/auth-metrics.ts';
import { prometheusAuthMetrics } from './auth.ts';
import { prometheusBundleMetrics } from './bundles.ts';
import { prometheusSpiffeMetrics } from './spiffe.ts';
import { prometheusVaultMetrics } from './vault.ts';

export interface PrometheusMetrics {
  readonly vault: VaultMetrics;
  readonly spiffe: SpiffeMetrics;
  readonly auth: AuthMetrics;
  readonly bundles: BundleMetrics;
}

/** Every metric of the library, in `registry`. Call it once per registry: it refuses a name that is taken. */
export function prometheusMetrics(registry: Registry): PrometheusMetrics {
  return {
    vault: prometheusVaultMetrics(registry),
    spiffe: prometheusSpiffeMetrics(registry),
    auth: prometheusAuthMetrics(registry),
    bundles: prometheusBundleMetrics(registry),
  };
}

export { prometheusAuthMetrics } from './auth.ts';
export { prometheusBundleMetrics } from './bundles.ts';
export { prometheusSpiffeMetrics } from './spiffe.ts';
export { prometheusVaultMetrics } from './vault.ts';

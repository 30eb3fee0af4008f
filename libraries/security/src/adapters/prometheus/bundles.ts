import { Counter, type Registry } from 'prom-client';
import type { BundleMetrics } from '../../spiffe/index.ts';

/** Counts the fetches of foreign trust bundles in `registry`. Call it once per registry. */
export function prometheusBundleMetrics(registry: Registry): BundleMetrics {
  const updates = new Counter({
    name: 'spiffe_trust_bundle_updates_total',
    help: 'Fetches of the trust bundles of foreign trust domains',
    labelNames: ['status'],
    registers: [registry],
  });
  return { bundleFetch: (_trustDomain, status) => updates.inc({ status }) };
}

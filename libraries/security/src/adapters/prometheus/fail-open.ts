import { Counter, type Registry } from 'prom-client';
import type { FailOpenMetrics } from '../../vault/index.ts';

/** Counts in `registry` how often a service went on without Vault. Call it once per registry. */
export function prometheusFailOpenMetrics(registry: Registry): FailOpenMetrics {
  const failures = new Counter({
    name: 'vault_fail_open_total',
    help: 'Attempts to open the Vault client that failed while the service went on without it',
    registers: [registry],
  });
  return { failedOpen: () => failures.inc() };
}

import { Counter, Histogram, type Registry } from 'prom-client';
import type { VaultMetrics } from '../../vault/index.ts';

/** Counts the Vault client's requests and renewals in `registry`. Call it once per registry. */
export function prometheusVaultMetrics(registry: Registry): VaultMetrics {
  const requests = new Counter({
    name: 'vault_requests_total',
    help: 'Requests to Vault, repetitions of one call not counted apart',
    labelNames: ['operation', 'status'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'vault_request_duration_seconds',
    help: 'Time from a request to Vault to its answer, repetitions included',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const renewals = new Counter({
    name: 'vault_token_renewals_total',
    help: "Renewals of the client's own token",
    labelNames: ['status'],
    registers: [registry],
  });
  return {
    request(operation, status, durationMs) {
      requests.inc({ operation, status });
      durations.observe({ operation }, durationMs / 1_000);
    },
    tokenRenewal(status) {
      renewals.inc({ status });
    },
  };
}

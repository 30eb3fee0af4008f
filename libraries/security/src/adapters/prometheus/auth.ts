import { Counter, type Registry } from 'prom-client';
import type { AuthMetrics } from '../grpc/auth-metrics.ts';

/** Counts authenticated and refused calls in `registry`. Call it once per registry. */
export function prometheusAuthMetrics(registry: Registry): AuthMetrics {
  const attempts = new Counter({
    name: 'grpc_auth_attempts_total',
    help: 'Calls that were authenticated or refused',
    labelNames: ['method', 'status'],
    registers: [registry],
  });
  const failures = new Counter({
    name: 'grpc_auth_failures_total',
    help: 'Calls that were refused, by reason',
    labelNames: ['method', 'reason'],
    registers: [registry],
  });
  return {
    attempt: (method, status) => attempts.inc({ method, status }),
    failure: (method, reason) => failures.inc({ method, reason }),
  };
}

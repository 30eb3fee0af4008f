import type { AuthMetrics } from '../grpc/auth-metrics.ts';
import type { Instruments } from './instruments.ts';

/** Calls that were authenticated or refused. */
export function authMetrics(instruments: Instruments): AuthMetrics {
  const attempts = instruments.counter('grpc_auth_attempts_total', 'Calls that were authenticated or refused', [
    'method',
    'status',
  ]);
  const failures = instruments.counter('grpc_auth_failures_total', 'Calls that were refused, by reason', [
    'method',
    'reason',
  ]);
  return {
    attempt: (method, status) => attempts({ method, status }),
    failure: (method, reason) => failures({ method, reason }),
  };
}

import { messageOf } from '@neural-hive/security/common';
import type { Logger } from '@neural-hive/service-runtime';
import type { PrometheusMetrics } from '../adapters/prometheus-metrics.ts';
import { RegistryError } from '../domain/registry-error.ts';
import type { OperationReport } from './service.ts';

/** Counts every call that ended, and logs those that failed for a reason of ours. */
export function operationReporter(metrics: PrometheusMetrics, log: Logger): (report: OperationReport) => void {
  return ({ operation, status, seconds, error }) => {
    metrics.operation(operation, status);
    if (operation === 'heartbeat') metrics.heartbeatLatency(seconds);
    if (error === undefined) return;
    const foreseen = error instanceof RegistryError;
    const fields = { operation, status, error: messageOf(error) };
    if (foreseen && error.code !== 'store_failed') log.debug(fields, 'a call was refused');
    else log.error({ ...fields, cause: messageOf(error instanceof Error ? error.cause : undefined) }, 'a call failed');
  };
}

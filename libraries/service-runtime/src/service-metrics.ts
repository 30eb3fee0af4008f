import { type PrometheusMetrics, prometheusMetrics } from '@neural-hive/security/prometheus';
import { collectDefaultMetrics, Registry } from 'prom-client';

/** Where a service and the library it uses count. */
export interface ServiceMetrics extends PrometheusMetrics {
  readonly registry: Registry;
}

/** A registry of its own for one service, with the metrics of the library and of the Node process in it. */
export function createServiceMetrics(): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return { registry, ...prometheusMetrics(registry) };
}

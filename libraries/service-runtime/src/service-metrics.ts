import { collectDefaultMetrics, Registry } from 'prom-client';

/** Where a service counts. */
export interface ServiceMetrics {
  readonly registry: Registry;
}

/** A registry of its own for one service, with the metrics of the Node process in it. */
export function createServiceMetrics(): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return { registry };
}

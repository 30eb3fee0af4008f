import { Counter, Gauge, Histogram, type Registry as PrometheusRegistry } from 'prom-client';
import { AGENT_STATUSES, AGENT_TYPES } from '../domain/agent.ts';
import type { RegistryMetrics } from '../domain/registry-metrics.ts';

export interface PrometheusMetrics extends RegistryMetrics {
  operation(operation: string, status: string): void;
  heartbeatLatency(seconds: number): void;
}

/** The registry's metrics under their names in `observability/metrics.md`. */
export function prometheusRegistryMetrics(registry: PrometheusRegistry): PrometheusMetrics {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter<Label>({ name, help, labelNames: [...labelNames], registers });
  const histogram = (name: string, help: string, buckets: readonly number[]) =>
    new Histogram({ name, help, buckets: [...buckets], registers });

  const registered = counter('agents_registered_total', 'Successful calls of Register');
  const deregistered = counter('agents_deregistered_total', 'Agents that deregistered themselves');
  const heartbeats = counter('heartbeats_received_total', 'Heartbeats by agent type and resulting status', [
    'agent_type',
    'status',
  ]);
  const heartbeatLatency = histogram('heartbeat_latency_seconds', 'Time to answer a heartbeat', SECONDS);
  const operations = counter('registry_operations_total', 'Calls by operation and gRPC status', [
    'operation',
    'status',
  ]);
  const discoveries = counter('discovery_requests_total', 'Answered discoveries by requested agent type', [
    'agent_type',
  ]);
  const discoverySeconds = histogram('discovery_duration_seconds', 'Time to find and rank agents', SECONDS);
  const evaluated = histogram('matching_candidates_evaluated', 'Agents looked at, best first, a discovery', COUNTS);
  const matched = histogram('agents_matched', 'Agents returned, a discovery', COUNTS);
  const active = new Gauge({
    name: 'agents_active',
    help: 'Agents by type and status',
    labelNames: ['agent_type', 'status'],
    registers,
  });
  const checks = counter('health_checks_total', 'Looks at the heartbeats of all agents');
  const unhealthy = counter('agents_marked_unhealthy_total', 'Agents whose heartbeat stopped');
  const removed = counter('agents_removed_total', 'Agents that were removed because they stayed away');

  return {
    registered: () => registered.inc(),
    deregistered: () => deregistered.inc(),
    heartbeat: (type, status) => heartbeats.inc({ agent_type: type, status }),
    heartbeatLatency: (seconds) => heartbeatLatency.observe(seconds),
    operation: (operation, status) => operations.inc({ operation, status }),
    discovery(type, seconds, candidates, matching) {
      discoveries.inc({ agent_type: type });
      discoverySeconds.observe(seconds);
      evaluated.observe(candidates);
      matched.observe(matching);
    },
    healthCheck: () => checks.inc(),
    markedUnhealthy: () => unhealthy.inc(),
    removed: () => removed.inc(),
    agents(counts) {
      for (const type of AGENT_TYPES) {
        for (const status of AGENT_STATUSES) {
          active.set({ agent_type: type, status }, counts.get(`${type}:${status}`) ?? 0);
        }
      }
    },
  };
}

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1];
const COUNTS = [0, 1, 2, 5, 10, 50, 100, 500, 1_000, 10_000];

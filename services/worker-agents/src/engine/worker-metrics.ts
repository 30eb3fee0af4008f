import type { ErrorClass, TaskType } from '@neural-hive/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface WorkerMetrics {
  claimed(type: TaskType): void;
  completed(type: TaskType, seconds: number): void;
  failed(type: TaskType, errorClass: ErrorClass, seconds: number): void;
  /** `lost`, `cancelled`, `drained` or `fenced`. */
  dropped(type: TaskType, why: string): void;
  inFlight(type: TaskType, change: 1 | -1): void;
  published(status: 'success' | 'failure'): void;
  heartbeat(status: 'success' | 'failure'): void;
  registered(status: 'success' | 'failure'): void;
  credentialsFetched(credential: string, status: 'success' | 'failure'): void;
}

export function workerMetrics(registry: Registry): WorkerMetrics {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const claimed = counter('worker_agent_tickets_consumed_total', 'Tickets that were claimed', ['task_type']);
  const completed = counter('worker_agent_tickets_completed_total', 'Tickets that were completed', ['task_type']);
  const failed = counter('worker_agent_tickets_failed_total', 'Attempts that failed', ['task_type', 'error_type']);
  const dropped = counter('worker_agent_tickets_dropped_total', 'Tickets that were given up without a result', [
    'task_type',
    'reason',
  ]);
  const published = counter('worker_agent_results_published_total', 'Results handed to the transport', ['status']);
  const heartbeats = counter('worker_agent_heartbeat_total', 'Heartbeats to the registry', ['status']);
  const registered = counter('worker_agent_registered_total', 'Registrations with the registry', ['status']);
  const fetched = counter('worker_vault_credentials_fetched_total', 'Credentials fetched from Vault', [
    'credential_type',
    'status',
  ]);
  const inFlight = new Gauge({
    name: 'worker_agent_tickets_in_flight',
    help: 'Tickets that are held now',
    labelNames: ['task_type'],
    registers,
  });
  const duration = new Histogram({
    name: 'worker_agent_task_duration_seconds',
    help: 'Time of one attempt',
    labelNames: ['task_type'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800],
    registers,
  });
  return {
    claimed: (task_type) => claimed.inc({ task_type }),
    completed: (task_type, seconds) => {
      completed.inc({ task_type });
      duration.observe({ task_type }, seconds);
    },
    failed: (task_type, error_type, seconds) => {
      failed.inc({ task_type, error_type });
      duration.observe({ task_type }, seconds);
    },
    dropped: (task_type, reason) => dropped.inc({ task_type, reason }),
    inFlight: (task_type, change) => inFlight.inc({ task_type }, change),
    published: (status) => published.inc({ status }),
    heartbeat: (status) => heartbeats.inc({ status }),
    registered: (status) => registered.inc({ status }),
    credentialsFetched: (credential_type, status) => fetched.inc({ credential_type, status }),
  };
}

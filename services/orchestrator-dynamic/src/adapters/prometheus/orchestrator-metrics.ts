import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { EngineMetrics } from '../../ports/engine-metrics.ts';
import type { CredentialCounters } from '../vault/orchestrator-vault-client.ts';

export interface OrchestratorMetrics {
  readonly engine: EngineMetrics;
  readonly credentials: CredentialCounters;
  /** Reads, whenever somebody scrapes, how many plans have not ended. */
  watchActive(count: () => Promise<number>): void;
}

/** The orchestrator's own metrics, under the names of the original system where it has one. */
export function orchestratorMetrics(registry: Registry): OrchestratorMetrics {
  const registers = [registry];
  const started = new Counter({
    name: 'orchestration_workflows_started_total',
    help: 'Plans accepted',
    registers,
  });
  const completed = new Counter({
    name: 'orchestration_workflows_completed_total',
    help: 'Plans ended, by their final status',
    labelNames: ['status'],
    registers,
  });
  const duration = new Histogram({
    name: 'orchestration_workflow_duration_seconds',
    help: 'From the submission of a plan to its end',
    labelNames: ['status'],
    buckets: [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600],
    registers,
  });
  const published = new Counter({
    name: 'orchestration_tickets_published_total',
    help: 'Attempts handed to the workers',
    labelNames: ['task_type'],
    registers,
  });
  const ticketsEnded = new Counter({
    name: 'orchestration_tickets_completed_total',
    help: 'Tickets ended, by their status',
    labelNames: ['task_type', 'status'],
    registers,
  });
  const buried = new Counter({
    name: 'orchestration_dead_letters_total',
    help: 'Tickets given up after every attempt they had',
    labelNames: ['task_type'],
    registers,
  });
  const events = new Histogram({
    name: 'orchestration_event_duration_seconds',
    help: 'From the start of a transaction to its commit, shared among the events that it applied',
    labelNames: ['event'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers,
  });
  const failures = new Counter({
    name: 'orchestration_event_failures_total',
    help: 'Events that could not be applied and are tried again',
    registers,
  });
  const fetched = new Counter({
    name: 'orchestrator_vault_credentials_fetched_total',
    help: 'Credentials fetched from Vault',
    labelNames: ['credential_type', 'status'],
    registers,
  });
  const renewals = new Counter({
    name: 'orchestrator_vault_renewal_task_runs_total',
    help: 'Replacements of long-held credentials, due or commanded',
    labelNames: ['status'],
    registers,
  });
  return {
    engine: {
      planSubmitted: () => started.inc(),
      planEnded(status, durationMs) {
        completed.inc({ status });
        duration.observe({ status }, durationMs / 1_000);
      },
      ticketPublished: (taskType) => published.inc({ task_type: taskType }),
      ticketEnded: (taskType, status) => ticketsEnded.inc({ task_type: taskType, status }),
      ticketBuried: (taskType) => buried.inc({ task_type: taskType }),
      eventApplied: (type, durationMs) => events.observe({ event: type }, durationMs / 1_000),
      eventFailed: () => failures.inc(),
    },
    credentials: {
      fetched: (credentialType, status) => fetched.inc({ credential_type: credentialType, status }),
      renewed: (status) => renewals.inc({ status }),
    },
    watchActive(count) {
      new Gauge({
        name: 'orchestration_workflows_active',
        help: 'Plans that have not ended, whichever process accepted them',
        registers,
        async collect() {
          // Without the database the last number stays: the other metrics say what is wrong.
          await count().then(
            (plans) => this.set(plans),
            () => undefined,
          );
        },
      });
    },
  };
}

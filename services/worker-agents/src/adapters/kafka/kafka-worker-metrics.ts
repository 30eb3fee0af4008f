import type { TaskType, UnreadableReason } from '@neural-hive/contracts';
import { Counter, type Registry } from 'prom-client';
import type { TicketCall } from './ticket-claims.ts';

type Status = 'success' | 'failure';

export interface KafkaWorkerMetrics {
  paused(type: TaskType): void;
  resumed(type: TaskType): void;
  /** A message went to the dead letters. */
  buried(reason: UnreadableReason): void;
  committed(status: Status): void;
  called(call: TicketCall, status: Status): void;
  /** The consumer ended by itself and began again. */
  restarted(): void;
}

export function kafkaWorkerMetrics(registry: Registry): KafkaWorkerMetrics {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const paused = counter('worker_agent_consumer_paused_total', 'Partitions paused because enough tickets wait', [
    'task_type',
  ]);
  const resumed = counter('worker_agent_consumer_resumed_total', 'Times that the partitions of a type were resumed', [
    'task_type',
  ]);
  const buried = counter('worker_agent_dlq_messages_total', 'Messages that were no tickets', ['reason']);
  const commits = counter('worker_agent_offset_commits_total', 'Positions kept in the broker', ['status']);
  const calls = counter('worker_agent_ticket_api_calls_total', 'Questions to the orchestrator about tickets', [
    'method',
    'status',
  ]);
  const restarts = counter('worker_agent_consumer_restarts_total', 'Times that the consumer ended by itself', []);
  return {
    paused: (task_type) => paused.inc({ task_type }),
    resumed: (task_type) => resumed.inc({ task_type }),
    buried: (reason) => buried.inc({ reason }),
    committed: (status) => commits.inc({ status }),
    called: (method, status) => calls.inc({ method, status }),
    restarted: () => restarts.inc(),
  };
}

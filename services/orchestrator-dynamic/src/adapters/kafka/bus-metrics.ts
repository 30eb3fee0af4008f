import type { UnreadableReason } from '@neural-hive/contracts';
import { Counter, Histogram, type Registry } from 'prom-client';

export interface BusMetrics {
  published(topic: string, status: 'success' | 'failure'): void;
  /** A message was taken, with how long its handler took and how often it was tried. */
  consumed(topic: string, seconds: number, tries: number): void;
  /** A message went to the dead letters. */
  buried(topic: string, reason: UnreadableReason): void;
  /** A handler failed and the message is tried again. */
  failed(topic: string): void;
  /** A consumer ended by itself and began again. */
  restarted(topic: string): void;
}

export function busMetrics(registry: Registry): BusMetrics {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const published = counter('orchestration_kafka_messages_published_total', 'Messages sent to Kafka', [
    'topic',
    'status',
  ]);
  const consumed = counter('orchestration_kafka_messages_consumed_total', 'Messages from Kafka that were taken', [
    'topic',
  ]);
  const buried = counter('orchestration_kafka_dlq_messages_total', 'Messages that could not be read or were refused', [
    'topic',
    'reason',
  ]);
  const failures = counter('orchestration_kafka_handler_failures_total', 'Messages that are tried again', ['topic']);
  const restarts = counter('orchestration_kafka_consumer_restarts_total', 'Times that a consumer ended by itself', [
    'topic',
  ]);
  const duration = new Histogram({
    name: 'orchestration_kafka_handler_duration_seconds',
    help: 'From a message to its position, with its repetitions',
    labelNames: ['topic'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers,
  });
  return {
    published: (topic, status) => published.inc({ topic, status }),
    consumed: (topic, seconds) => {
      consumed.inc({ topic });
      duration.observe({ topic }, seconds);
    },
    buried: (topic, reason) => buried.inc({ topic, reason }),
    failed: (topic) => failures.inc({ topic }),
    restarted: (topic) => restarts.inc({ topic }),
  };
}

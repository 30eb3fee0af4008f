import type { WorkloadName } from './identities.ts';
import { TASK_TYPES } from './ticket.ts';
import { TOPICS } from './topics.ts';

/** Consumer groups. Results and decisions are read apart, so that neither waits for the other. */
export const KAFKA_GROUPS = {
  workers: 'worker-agents',
  decisions: 'orchestrator-dynamic',
  results: 'orchestrator-dynamic.results',
} as const;

export interface KafkaTopic {
  readonly name: string;
  /** More than there are readers at once: a reader without a partition waits. */
  readonly partitions: number;
  /** How long a message is kept, in milliseconds. Tickets outlast their plans, dead letters a holiday. */
  readonly retentionMs: number;
}

const DAY_MS = 86_400_000;

/** Every topic of the platform; none is made by writing to it. */
export const KAFKA_TOPICS: readonly KafkaTopic[] = [
  { name: TOPICS.decisions, partitions: 6, retentionMs: 7 * DAY_MS },
  ...TASK_TYPES.map((type) => ({ name: TOPICS.tickets(type), partitions: 12, retentionMs: 7 * DAY_MS })),
  { name: TOPICS.results, partitions: 12, retentionMs: 7 * DAY_MS },
  { name: TOPICS.ticketsDlq, partitions: 1, retentionMs: 30 * DAY_MS },
  { name: TOPICS.decisionsDlq, partitions: 1, retentionMs: 30 * DAY_MS },
  { name: TOPICS.probes, partitions: 1, retentionMs: 60_000 },
];

export interface KafkaRight {
  readonly resource: 'topic' | 'group';
  /** Literal. */
  readonly name: string;
  /** Both imply DESCRIBE. */
  readonly operation: 'READ' | 'WRITE';
}

const reads = (...names: readonly string[]): KafkaRight[] =>
  names.map((name) => ({ resource: 'topic', name, operation: 'READ' }));
const writes = (...names: readonly string[]): KafkaRight[] =>
  names.map((name) => ({ resource: 'topic', name, operation: 'WRITE' }));
const joins = (...names: readonly string[]): KafkaRight[] =>
  names.map((name) => ({ resource: 'group', name, operation: 'READ' }));

/** What each service's Kafka user may do, and nothing else: its ACLs, from every host. */
export const KAFKA_RIGHTS = {
  'orchestrator-dynamic': [
    ...writes(...TASK_TYPES.map(TOPICS.tickets), TOPICS.ticketsDlq, TOPICS.decisionsDlq, TOPICS.probes),
    ...reads(TOPICS.results, TOPICS.decisions),
    ...joins(KAFKA_GROUPS.decisions, KAFKA_GROUPS.results),
  ],
  'worker-agents': [
    ...reads(...TASK_TYPES.map(TOPICS.tickets)),
    ...writes(TOPICS.results, TOPICS.ticketsDlq, TOPICS.probes),
    ...joins(KAFKA_GROUPS.workers),
  ],
} as const satisfies Partial<Record<WorkloadName, readonly KafkaRight[]>>;

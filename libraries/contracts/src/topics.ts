import type { TaskType } from './ticket.ts';

/** Kafka topics; subscribed by explicit list, never by pattern. */
export const TOPICS = {
  decisions: 'plans.consensus',
  decisionsDlq: 'plans.consensus.dlq',
  tickets: (type: TaskType): string => `execution.tickets.${type.toLowerCase()}`,
  ticketsDlq: 'execution.tickets.dlq',
  results: 'execution.results',
  /** Takes the messages with which a service shows that its login works; nobody reads it. */
  probes: 'platform.probes',
} as const;

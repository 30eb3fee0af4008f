import { TASK_TYPES, TOPICS } from '@neural-hive/contracts';

/** What one service may do at the broker. A group's name begins with the name of its service. */
export interface BrokerAccess {
  readonly service: 'orchestrator-dynamic' | 'worker-agents';
  readonly writes: readonly string[];
  readonly reads: readonly string[];
}

const PROBES = 'platform.probes';
const TICKETS = TASK_TYPES.map(TOPICS.tickets);

export const BROKER_ACCESS: readonly BrokerAccess[] = [
  {
    service: 'orchestrator-dynamic',
    writes: [...TICKETS, TOPICS.ticketsDlq, TOPICS.decisionsDlq, PROBES],
    reads: [TOPICS.decisions, TOPICS.results],
  },
  // A message that is no ticket is put aside by the worker that read it.
  { service: 'worker-agents', writes: [TOPICS.results, TOPICS.ticketsDlq, PROBES], reads: TICKETS },
];

export const BROKER_TOPICS: readonly string[] = [
  ...new Set(BROKER_ACCESS.flatMap(({ writes, reads }) => [...writes, ...reads])),
];

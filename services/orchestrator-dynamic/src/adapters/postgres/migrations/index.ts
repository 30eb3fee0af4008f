import type { SchemaName } from '@neural-hive/contracts';
import { sql as orchestratorPlans } from './orchestrator/001-plans.ts';
import { sql as orchestratorTelemetry } from './orchestrator/002-telemetry.ts';
import { sql as orchestratorDeadLetters } from './orchestrator/003-dead-letters.ts';
import { sql as releasesHistory } from './releases/001-history.ts';
import { sql as ticketsTransport } from './tickets/001-transport.ts';
import { sql as ticketsPauseAndPath } from './tickets/002-pause-and-path.ts';

export interface Migration {
  /** `NNN-noun`; the number orders them. */
  readonly name: string;
  readonly sql: string;
}

/** Every migration of every schema, in order. What was applied once is never edited: add the next number. */
export const MIGRATIONS = {
  orchestrator: [
    { name: '001-plans', sql: orchestratorPlans },
    { name: '002-telemetry', sql: orchestratorTelemetry },
    { name: '003-dead-letters', sql: orchestratorDeadLetters },
  ],
  tickets: [
    { name: '001-transport', sql: ticketsTransport },
    { name: '002-pause-and-path', sql: ticketsPauseAndPath },
  ],
  releases: [{ name: '001-history', sql: releasesHistory }],
} as const satisfies Record<SchemaName, readonly Migration[]>;

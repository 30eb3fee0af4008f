import type { WorkloadName } from './identities.ts';
import type { TaskType } from './ticket.ts';

/** Mount points of the auth methods and secret engines. */
export const VAULT_MOUNTS = {
  kubernetes: 'kubernetes',
  jwt: 'jwt',
  cert: 'cert',
  kv: 'secret',
  database: 'database',
  pki: 'pki',
} as const;

/** The PKI role that issues service certificates. */
export const PKI_ROLE = 'neural-hive-services';

/** Dynamic database roles: `database/creds/<role>`. */
export const DATABASE_ROLES = {
  /** The orchestrator's only PostgreSQL login: plan store, tickets, idempotency keys, audit trail. */
  orchestrator: 'temporal-orchestrator',
  orchestratorMongodb: 'mongodb-orchestrator',
  /** The workers' login to the ticket transport. */
  workerTickets: 'worker-tickets',
  /** Read-only, leased while a QUERY ticket runs. */
  workerQuery: 'worker-query',
  registryRedis: 'registry-redis',
} as const;

/** Static database roles: `database/static-creds/<role>`. */
export const STATIC_DATABASE_ROLES = { temporalServer: 'temporal-server' } as const;

/** The schemas that a leased migrator creates; each has a NOLOGIN owner `<schema>_owner` and a group `<schema>_rw`. */
export const SCHEMAS = ['orchestrator', 'tickets', 'releases'] as const;

export type SchemaName = (typeof SCHEMAS)[number];

/** `database/creds/<schema>-migrator`: the only login that runs DDL, for minutes. */
export function migratorRole(schema: SchemaName): string {
  return `${schema}-migrator`;
}

/** The files that an injected agent writes for each workload, by the names of the charts' `vault.agent.secrets`. */
export const INJECTED_FILES = {
  'orchestrator-dynamic': ['postgres', 'mongodb', 'kafka'],
  'worker-agents': ['kafka', 'execution'],
  'service-registry': ['redis'],
} as const satisfies Readonly<Record<WorkloadName, readonly string[]>>;
export type InjectedFile = (typeof INJECTED_FILES)[WorkloadName][number];

/** Paths in the KV v2 engine, without the `data/` that its API puts in. */
export const KV_PATHS = {
  orchestratorMongodb: 'orchestrator/mongodb',
  orchestratorKafka: 'orchestrator/kafka',
  workerKafka: 'worker/kafka',
  /** Settings common to all task types. */
  workerExecution: 'worker/execution',
  workerExecutionOf: (type: TaskType): string => `worker/execution/${type.toLowerCase()}`,
  workerResult: (ticketId: string): string => `worker/results/${ticketId}`,
} as const;

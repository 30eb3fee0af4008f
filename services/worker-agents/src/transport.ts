import type { RotatingCredential, StoredLogin } from '@neural-hive/security/credentials';
import type { X509Identity } from '@neural-hive/security/tls';
import type { VaultClient } from '@neural-hive/security/vault';
import {
  type BoardEntry,
  type JwtSvidCache,
  kafkaClientConfig,
  type ResourceStack,
  type ServiceContext,
} from '@neural-hive/service-runtime';
import { openKafkaLogins, openKafkaTransport } from './adapters/kafka/kafka-transport.ts';
import { kafkaWorkerMetrics } from './adapters/kafka/kafka-worker-metrics.ts';
import { orchestratorDispatcher } from './adapters/kafka/orchestrator-dispatcher.ts';
import { TicketClaims } from './adapters/kafka/ticket-claims.ts';
import { openTicketTransport } from './adapters/postgres/ticket-transport.ts';
import type { WorkerConfig } from './config.ts';
import type { TicketSource } from './domain/ports.ts';

/** Where the tickets come from, with the logins that are held for it. */
export interface Transport {
  readonly source: TicketSource;
  /** For the board of credentials. */
  readonly entries: readonly BoardEntry[];
  readonly credentials: readonly RotatingCredential<StoredLogin>[];
}

export interface OpenTransportOptions {
  readonly vault: VaultClient;
  readonly identity: X509Identity;
  readonly tokens: JwtSvidCache;
  readonly context: ServiceContext;
  readonly resources: ResourceStack;
}

/** Rows of PostgreSQL or Kafka, as `TICKET_TRANSPORT` says. */
export function openTransport(config: WorkerConfig, options: OpenTransportOptions): Promise<Transport> {
  const { tickets } = config;
  return tickets.transport === 'kafka' ? openKafka(config, tickets, options) : openPostgres(config, options);
}

function openPostgres(config: WorkerConfig, { vault, context, resources }: OpenTransportOptions): Promise<Transport> {
  const { kv: kvMount, database: databaseMount } = config.security.vault.mounts;
  return openTicketTransport({
    vault,
    kvMount,
    databaseMount,
    kvPollMs: config.kvPollMs,
    injectedSecrets: config.injectedSecrets,
    database: config.postgres,
    agentId: config.agentId,
    logger: context.log,
    metrics: context.metrics.credentials,
    resources,
    signal: context.signal,
  });
}

async function openKafka(
  { agentId, injectedSecrets, types, kvPollMs, security }: WorkerConfig,
  { kafka, orchestratorUrl }: Extract<WorkerConfig['tickets'], { transport: 'kafka' }>,
  { vault, identity, tokens, context, resources }: OpenTransportOptions,
): Promise<Transport> {
  const { log: logger, signal } = context;
  const metrics = kafkaWorkerMetrics(context.metrics.registry);
  const reporting = { logger, signal, metrics: context.metrics.credentials };
  const kvMount = security.vault.mounts.kv;
  const logins = resources.use(
    await openKafkaLogins({ vault, kvMount, kvPollMs, injectedSecrets, agentId, ...reporting }),
  );
  const { dispatcher, close } = orchestratorDispatcher({ identity, tokens });
  resources.defer(close);
  const claims = new TicketClaims({ url: orchestratorUrl, dispatcher, onCall: metrics.called });
  const client = kafkaClientConfig(kafka, { clientId: agentId, logger });
  const transport = resources.use(
    await openKafkaTransport({ logins, settings: kafka, client, types, claims, agentId, metrics, logger }),
  );
  return { source: transport.source, entries: [transport.entry], credentials: [logins] };
}

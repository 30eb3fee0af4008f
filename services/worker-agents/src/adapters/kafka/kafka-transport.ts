import { KV_PATHS, type TaskType, TOPICS } from '@neural-hive/contracts';
import { type Logger, systemClock } from '@neural-hive/security/common';
import { type CredentialMetrics, kvSecret, RotatingCredential } from '@neural-hive/security/credentials';
import {
  type KafkaLogin,
  parseKafkaLogin,
  type RotatingKafkaConfig,
  rotatingProducer,
} from '@neural-hive/security/kafka';
import type { VaultClient } from '@neural-hive/security/vault';
import {
  type BoardEntry,
  injectedSecret,
  KafkaSender,
  type KafkaSettings,
  LastingConsumer,
  rotatingEntry,
  unreadableOf,
} from '@neural-hive/service-runtime';
import type { KafkaWorkerMetrics } from './kafka-worker-metrics.ts';
import { publishResult } from './result-publisher.ts';
import type { TicketClaims } from './ticket-claims.ts';
import { TicketFeed } from './ticket-feed.ts';
import { KafkaTicketSource } from './ticket-source.ts';

export interface KafkaTransportOptions {
  /** Borrowed. */
  readonly logins: RotatingCredential<KafkaLogin>;
  readonly settings: Pick<KafkaSettings, 'groupId' | 'maxMessageBytes' | 'sessionTimeoutMs'>;
  readonly client: RotatingKafkaConfig;
  readonly types: readonly TaskType[];
  readonly claims: Pick<TicketClaims, 'claim' | 'heartbeat' | 'release'>;
  readonly agentId: string;
  readonly metrics: KafkaWorkerMetrics;
  readonly logger: Logger;
  /** Tickets of one type that wait for a place, before its partitions are paused. Default 64. */
  readonly windowTickets?: number;
}

export interface KafkaTransport {
  readonly source: KafkaTicketSource;
  /** The login, for the board of credentials. */
  readonly entry: BoardEntry;
  /** Tickets that were read and may be asked for. */
  readonly waiting: number;
  /** Open connections of the consumer, by generation of the login. */
  connections(): ReadonlyMap<number, number>;
  /** Keeps the positions and leaves the group. */
  close(): Promise<void>;
  /** Reads no more and keeps nothing from now on, as a process that is stopped: what it holds is found by others. */
  freeze(): void;
}

/** The worker's end of Kafka: tickets in, results and what is no ticket out, under one login that rotates. */
export async function openKafkaTransport(options: KafkaTransportOptions): Promise<KafkaTransport> {
  const { logins, settings, client, types, claims, agentId, metrics, logger } = options;
  const { groupId, maxMessageBytes, sessionTimeoutMs } = settings;
  const producer = await rotatingProducer(logins, client, { producer: { allowAutoTopicCreation: false } });
  const sender = new KafkaSender(producer, { maxMessageBytes });
  let announce: () => void = () => undefined;
  const feed = new TicketFeed({
    types,
    maxMessageBytes,
    bury: (record, problem) => {
      const key = record.key?.toString('utf8') ?? null;
      const letter = unreadableOf(record, problem, { movedBy: agentId, nowMs: systemClock.now(), maxMessageBytes });
      return sender.send(TOPICS.ticketsDlq, key, letter);
    },
    onArrival: () => announce(),
    metrics,
    log: logger,
    ...(options.windowTickets !== undefined && { windowTickets: options.windowTickets }),
  });
  let consumer: LastingConsumer;
  try {
    consumer = await LastingConsumer.open(logins, client, {
      consumer: {
        groupId,
        sessionTimeout: sessionTimeoutMs,
        heartbeatInterval: Math.round(sessionTimeoutMs / 5),
        rebalanceTimeout: sessionTimeoutMs * 2,
        maxWaitTimeInMs: 250,
        allowAutoTopicCreation: false,
      },
      topics: feed.topics,
      run: { autoCommit: false, eachBatchAutoResolve: false, eachBatch: (payload) => feed.take(payload) },
      logger,
      onRestart: () => metrics.restarted(),
    });
  } catch (error) {
    feed.close();
    await producer.destroy();
    throw error;
  }
  const source = new KafkaTicketSource({
    feed,
    claims,
    publish: (ticketId, result) => publishResult(sender, ticketId, result),
    assertReading: () => {
      if (consumer.failure !== undefined) throw consumer.failure;
    },
  });
  announce = () => source.announce();
  return {
    source,
    entry: rotatingEntry(logins, {
      kind: 'kv',
      // The metadata of the cluster, a partition's leader, an acknowledged write: what a bad login fails at.
      operate: () => sender.send(TOPICS.probes, agentId, { agent_id: agentId }),
    }),
    get waiting() {
      return types.reduce((sum, type) => sum + feed.ready(type), 0);
    },
    connections: () => consumer.connections(),
    close: async () => {
      await feed.flush();
      feed.close();
      await consumer.close();
      await producer.close();
    },
    freeze: () => {
      feed.close();
      consumer.destroy().catch(() => undefined);
    },
  };
}

const MOST_CONSUMER_CHARACTERS = 100;

export interface KafkaLoginsOptions {
  readonly vault: VaultClient;
  readonly kvMount: string;
  /** How often the stored login is looked at. */
  readonly kvPollMs: number;
  /** The folder of the injector's agent, if there is one. */
  readonly injectedSecrets?: string | undefined;
  /** Names the process to whoever replaces the login. */
  readonly agentId: string;
  readonly logger: Logger;
  readonly metrics?: CredentialMetrics;
  readonly signal: AbortSignal;
}

/** The login that is kept at `secret/worker/kafka`. */
export function openKafkaLogins(options: KafkaLoginsOptions): Promise<RotatingCredential<KafkaLogin>> {
  const { vault, kvMount: mount, kvPollMs: pollMs, injectedSecrets, agentId, logger, metrics, signal } = options;
  const consumer = agentId.slice(0, MOST_CONSUMER_CHARACTERS);
  return RotatingCredential.open({
    provider:
      injectedSecret({ folder: injectedSecrets, file: 'kafka', parse: parseKafkaLogin, logger }) ??
      kvSecret(vault, KV_PATHS.workerKafka, { mount, pollMs, parse: parseKafkaLogin, consumer }),
    logger,
    signal,
    ...(metrics !== undefined && { metrics }),
  });
}

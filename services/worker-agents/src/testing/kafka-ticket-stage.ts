import {
  type DeadMessage,
  deadMessage,
  type ExecutionTicket,
  KAFKA_GROUPS,
  KAFKA_RIGHTS,
  KAFKA_TOPICS,
  type TaskType,
  TOPICS,
} from '@neural-hive/contracts';
import { KafkaPlatform } from '@neural-hive/real-stack';
import { silentLogger } from '@neural-hive/security/common';
import type { RotatingCredential } from '@neural-hive/security/credentials';
import type { KafkaLogin } from '@neural-hive/security/kafka';
import type { Consumer, Producer } from 'kafkajs';
import { Registry } from 'prom-client';
import { expect } from 'vitest';
import { type KafkaTransport, openKafkaTransport } from '../adapters/kafka/kafka-transport.ts';
import { kafkaWorkerMetrics } from '../adapters/kafka/kafka-worker-metrics.ts';
import { ClaimTable } from './claim-table.ts';
import { startTicketApi, type TicketApi } from './ticket-api.ts';
import type { StagedSource, TransportStage } from './ticket-source-contract.ts';

const SESSION_TIMEOUT_MS = 6_000;
export const MAX_MESSAGE_BYTES = 1_000_000;
const TYPES: readonly TaskType[] = ['BUILD', 'QUERY'];

export interface KafkaWorkerOptions {
  readonly logins?: RotatingCredential<KafkaLogin>;
  readonly windowTickets?: number;
}

/** A real broker, the orchestrator's side of it in memory, and workers. */
export class KafkaTicketStage implements TransportStage {
  readonly platform: KafkaPlatform;
  readonly table = new ClaimTable();
  readonly api: TicketApi;
  readonly dead: DeadMessage[] = [];
  readonly #producer: Producer;
  readonly #consumer: Consumer;
  readonly #logins: RotatingCredential<KafkaLogin>;

  private constructor(
    platform: KafkaPlatform,
    api: TicketApi,
    table: ClaimTable,
    logins: RotatingCredential<KafkaLogin>,
  ) {
    this.platform = platform;
    this.api = api;
    this.table = table;
    this.#logins = logins;
    const kafka = platform.superUser();
    this.#producer = kafka.producer({ allowAutoTopicCreation: false });
    this.#consumer = kafka.consumer({ groupId: 'test', sessionTimeout: 30_000, maxWaitTimeInMs: 100 });
  }

  static async open(): Promise<KafkaTicketStage> {
    const platform = await KafkaPlatform.open({
      topics: KAFKA_TOPICS,
      rights: KAFKA_RIGHTS,
      maxMessageBytes: 4 * 1024 * 1024,
    });
    const table = new ClaimTable();
    const stage = new KafkaTicketStage(
      platform,
      await startTicketApi(table),
      table,
      await platform.logins('worker-agents'),
    );
    await stage.#begin();
    return stage;
  }

  async clear(): Promise<void> {
    this.table.clear();
    this.dead.length = 0;
  }

  async worker(agentId: string, options: KafkaWorkerOptions = {}): Promise<KafkaTransport> {
    return openKafkaTransport({
      logins: this.#logins,
      settings: {
        groupId: KAFKA_GROUPS.workers,
        maxMessageBytes: MAX_MESSAGE_BYTES,
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
      },
      client: this.platform.config(),
      types: TYPES,
      claims: this.api.claims(),
      agentId,
      metrics: kafkaWorkerMetrics(new Registry()),
      logger: silentLogger,
      ...options,
    });
  }

  async open(agentId: string): Promise<StagedSource> {
    const transport = await this.worker(agentId);
    let frozen = false;
    return {
      source: transport.source,
      brought: async (count) => {
        await expect.poll(() => transport.waiting, { timeout: 60_000 }).toBe(count);
      },
      freeze: async () => {
        frozen = true;
        transport.freeze();
      },
      close: async () => {
        const closing = transport.close();
        // kafkajs waits for answers that cannot come.
        if (frozen) closing.catch(() => undefined);
        else await closing;
      },
    };
  }

  async publish(ticket: ExecutionTicket): Promise<void> {
    this.table.published(ticket);
    await this.send(TOPICS.tickets(ticket.task_type), ticket.ticket_id, JSON.stringify(ticket));
  }

  async publishBroken(ticket: Record<string, unknown>): Promise<void> {
    this.table.published({ ticket_id: String(ticket.ticket_id), retry_count: 0 });
    await this.send(TOPICS.tickets('BUILD'), String(ticket.ticket_id), JSON.stringify(ticket));
  }

  async cancel(ticketId: string): Promise<void> {
    this.table.cancelled(ticketId);
  }

  async results(ticketId: string): Promise<readonly unknown[]> {
    return this.table.resultsOf(ticketId);
  }

  async send(topic: string, key: string | null, value: string | Buffer | null): Promise<void> {
    await this.#producer.send({ topic, acks: -1, messages: [{ key, value }] });
  }

  /** Messages of the workers' group that were read and are not kept as such. */
  async lag(type: TaskType): Promise<number> {
    const topic = TOPICS.tickets(type);
    return await this.platform.administer(async (admin) => {
      const ends = await admin.fetchTopicOffsets(topic);
      const [kept] = await admin.fetchOffsets({ groupId: KAFKA_GROUPS.workers, topics: [topic] });
      return ends.reduce((sum, { partition, high }) => {
        const position = kept?.partitions.find((one) => one.partition === partition)?.offset ?? '-1';
        return sum + Number(high) - Math.max(0, Number(position));
      }, 0);
    });
  }

  async close(): Promise<void> {
    await this.#consumer.disconnect();
    await this.#producer.disconnect();
    await this.#logins.close();
    await this.api.close();
    await this.platform.close();
  }

  /** What the orchestrator does with results. */
  async #begin(): Promise<void> {
    await this.#producer.connect();
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [TOPICS.results, TOPICS.ticketsDlq], fromBeginning: true });
    await this.#consumer.run({
      eachMessage: async ({ topic, message: { key, value } }) => {
        const json = JSON.parse(String(value)) as Record<string, unknown>;
        if (topic === TOPICS.ticketsDlq) this.dead.push(deadMessage.parse(json));
        else this.table.result(String(key), Number(json.fencing_token), json);
      },
    });
  }
}

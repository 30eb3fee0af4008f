import {
  type ConsolidatedDecision,
  consolidatedDecision,
  type ExecutionTicket,
  KAFKA_GROUPS,
  RANK_HEADER,
  type ResultAddress,
  resultAddress,
  TOPICS,
} from '@neural-hive/contracts';
import { type Logger, systemClock } from '@neural-hive/security/common';
import type { RotatingCredential } from '@neural-hive/security/credentials';
import {
  type KafkaLogin,
  type RotatingKafkaConfig,
  type RotatingProducer,
  rotatingProducer,
} from '@neural-hive/security/kafka';
import {
  type BoardEntry,
  type KafkaRecord,
  KafkaSendError,
  KafkaSender,
  type KafkaSettings,
  LastingConsumer,
  type Problem,
  readKafkaRecord,
  rotatingEntry,
  unreadableOf,
} from '@neural-hive/service-runtime';
import type { DeadLetter } from '../../domain/dead-letter.ts';
import { type BusHandlers, type TicketBus, TicketBusError } from '../../ports/ticket-bus.ts';
import { BatchReader } from './batch-reader.ts';
import type { BusMetrics } from './bus-metrics.ts';
import { givenUpOf } from './given-up.ts';

export interface TicketBusOptions {
  /** Of `secret/orchestrator/kafka`. Borrowed. */
  readonly logins: RotatingCredential<KafkaLogin>;
  readonly settings: Pick<KafkaSettings, 'groupId' | 'maxMessageBytes' | 'sessionTimeoutMs'>;
  /** `kafkaClientConfig(settings, …)`. */
  readonly client: RotatingKafkaConfig;
  /** Names the process, on what it lays aside. */
  readonly instance: string;
  readonly metrics: BusMetrics;
  readonly logger: Logger;
}

/** The orchestrator's end of Kafka. */
export interface OpenTicketBus extends TicketBus {
  /** The login, for the board of credentials. */
  readonly entry: BoardEntry;
  /** Why nothing is read now; undefined while results and decisions are, and before `start`. */
  readonly failure: Error | undefined;
  /** Reads results and decisions from now on; resolves when both groups have taken this process in. Once. */
  start(handlers: BusHandlers): Promise<void>;
  /** Lets the handlers that run end, keeps the positions, leaves the groups. Idempotent. */
  close(): Promise<void>;
}

/** Resolves when the login works. */
export async function openTicketBus(options: TicketBusOptions): Promise<OpenTicketBus> {
  const producer = await rotatingProducer(options.logins, options.client, {
    producer: { allowAutoTopicCreation: false },
  });
  return new KafkaTicketBus(options, producer);
}

class KafkaTicketBus implements OpenTicketBus {
  readonly entry: BoardEntry;
  readonly #options: TicketBusOptions;
  readonly #producer: RotatingProducer;
  readonly #sender: KafkaSender;
  readonly #readers: { close(): void }[] = [];
  readonly #consumers: LastingConsumer[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: TicketBusOptions, producer: RotatingProducer) {
    this.#options = options;
    this.#producer = producer;
    this.#sender = new KafkaSender(producer, options.settings);
    const { instance, logins } = options;
    this.entry = rotatingEntry(logins, {
      kind: 'kv',
      // The metadata of the cluster, a partition's leader, an acknowledged write: what a bad login fails at.
      operate: () => this.#sender.send(TOPICS.probes, instance, { instance }),
    });
  }

  get failure(): Error | undefined {
    return this.#consumers.find(({ failure }) => failure !== undefined)?.failure;
  }

  publish(ticket: ExecutionTicket, { rankMs }: { readonly rankMs?: number } = {}): Promise<void> {
    const headers = rankMs === undefined ? {} : { [RANK_HEADER]: String(Math.round(rankMs)) };
    return this.#send(TOPICS.tickets(ticket.task_type), ticket.ticket_id, ticket, headers);
  }

  bury(letter: DeadLetter): Promise<void> {
    return this.#send(TOPICS.ticketsDlq, letter.ticketId, givenUpOf(letter));
  }

  async start(handlers: BusHandlers): Promise<void> {
    if (this.#consumers.length > 0) throw new TypeError('start: was called before');
    const { settings } = this.#options;
    const { maxMessageBytes: maxBytes, groupId } = settings;
    await Promise.all([
      this.#consume<ResultAddress>({
        topic: TOPICS.results,
        dlq: TOPICS.ticketsDlq,
        groupId: groupId === KAFKA_GROUPS.decisions ? KAFKA_GROUPS.results : `${groupId}.results`,
        read: (record) => readResult(record, maxBytes),
        handle: (result) => handlers.result(result.ticket_id, result.plan_id, result.fencing_token, result),
      }),
      this.#consume<ConsolidatedDecision>({
        topic: TOPICS.decisions,
        dlq: TOPICS.decisionsDlq,
        groupId,
        read: (record) => readKafkaRecord(record, consolidatedDecision, { maxBytes }),
        handle: (decision) => handlers.decision(decision),
      }),
    ]);
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    for (const reader of this.#readers) reader.close();
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await this.#producer.close();
  }

  async #consume<T>(source: {
    readonly topic: string;
    readonly dlq: string;
    readonly groupId: string;
    readonly read: (record: KafkaRecord) => ReturnType<typeof readKafkaRecord<T>>;
    readonly handle: (value: T) => Promise<void>;
  }): Promise<void> {
    const { logins, client, settings, instance, metrics, logger } = this.#options;
    const { topic, dlq, groupId, read, handle } = source;
    const { maxMessageBytes, sessionTimeoutMs } = settings;
    const bury = (record: KafkaRecord, problem: Problem): Promise<void> => {
      const letter = unreadableOf(record, problem, {
        movedBy: instance,
        nowMs: systemClock.now(),
        maxMessageBytes,
      });
      return this.#sender.send(dlq, record.key?.toString('utf8') ?? null, letter);
    };
    const reader = new BatchReader<T>({ read, handle, bury, metrics, log: logger });
    this.#readers.push(reader);
    const consumer = await LastingConsumer.open(logins, client, {
      consumer: {
        groupId,
        sessionTimeout: sessionTimeoutMs,
        heartbeatInterval: Math.round(sessionTimeoutMs / 5),
        rebalanceTimeout: sessionTimeoutMs * 2,
        maxWaitTimeInMs: 250,
        allowAutoTopicCreation: false,
      },
      topics: [topic],
      run: { autoCommit: false, eachBatchAutoResolve: false, eachBatch: (payload) => reader.take(payload) },
      logger,
      onRestart: () => metrics.restarted(topic),
    });
    this.#consumers.push(consumer);
    if (this.#closing !== undefined) await consumer.close();
  }

  async #send(topic: string, key: string, message: object, headers?: Readonly<Record<string, string>>): Promise<void> {
    const { metrics } = this.#options;
    if (this.#closing !== undefined) throw new TicketBusError('closed', `Sending to ${topic}: the bus is closed`);
    try {
      await this.#sender.send(topic, key, message, headers);
      metrics.published(topic, 'success');
    } catch (error) {
      metrics.published(topic, 'failure');
      if (!(error instanceof KafkaSendError)) throw error;
      const { code, retryable } = error;
      throw new TicketBusError(code, error.message, { cause: error, retryable });
    }
  }
}

/** One that says whose result it is, and lies under that ticket's key. */
function readResult(record: KafkaRecord, maxBytes: number): ReturnType<typeof readKafkaRecord<ResultAddress>> {
  const reading = readKafkaRecord(record, resultAddress, { maxBytes });
  if (!reading.ok || record.key?.toString('utf8') === reading.value.ticket_id) return reading;
  return { ok: false, json: undefined, reason: 'wrong-shape', problem: 'ticket_id: is not the key of the message' };
}

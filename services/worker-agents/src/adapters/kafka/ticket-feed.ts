import {
  type ExecutionTicket,
  executionTicket,
  RANK_HEADER,
  type TaskType,
  TOPICS,
  ticketAddress,
} from '@neural-hive/contracts';
import { type Clock, fullJitterMs, type Logger, messageOf, sleep, systemClock } from '@neural-hive/security/common';
import { type KafkaRecord, type Problem, readKafkaRecord } from '@neural-hive/service-runtime';
import type { EachBatchPayload } from 'kafkajs';
import type { KafkaWorkerMetrics } from './kafka-worker-metrics.ts';
import { PartitionFeed } from './partition-feed.ts';
import { type ArrivedTicket, type Place, TicketWindow } from './ticket-window.ts';

export interface TicketFeedOptions {
  readonly types: readonly TaskType[];
  readonly maxMessageBytes: number;
  /** Lays a message that is no ticket into the dead letters; resolves when it is durable there. */
  readonly bury: (record: KafkaRecord, problem: Problem) => Promise<void>;
  readonly onArrival: () => void;
  readonly metrics: KafkaWorkerMetrics;
  readonly log: Logger;
  /** Tickets of one type that wait for a place, before its partitions are paused. Default 64. */
  readonly windowTickets?: number;
  readonly clock?: Clock;
}

/** Of one type, with those that run and those that somebody else has; a re-read costs one question each. */
const MOST_OPEN = 1_024;
/** Of all types: what the messages that are kept in memory come to. */
const MOST_BYTES = 64 * 1024 * 1024;
const BURY_BACKOFF = { baseMs: 200, capMs: 10_000 } as const;

/** Reads messages into the window, lays aside what is no ticket, and pauses a type's partitions while it has enough. */
export class TicketFeed {
  readonly window = new TicketWindow();
  readonly topics: readonly string[];
  readonly #options: TicketFeedOptions;
  readonly #clock: Clock;
  readonly #typeOf: ReadonlyMap<string, TaskType>;
  readonly #partitions = new Map<string, PartitionFeed>();
  readonly #closing = new AbortController();
  #bytes = 0;

  constructor(options: TicketFeedOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#typeOf = new Map(options.types.map((type) => [TOPICS.tickets(type), type]));
    this.topics = [...this.#typeOf.keys()];
  }

  /** For `eachBatch` of a consumer whose positions nobody else keeps. */
  async take(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const type = this.#typeOf.get(topic);
    if (type === undefined) return;
    const feed = this.#feed(topic, partition);
    feed.read(payload);
    let arrivals = 0;
    for (const { offset, timestamp, key, value, headers } of messages) {
      if (!payload.isRunning() || payload.isStale() || this.#closing.signal.aborted) break;
      if (this.#isFull(type)) {
        feed.pause(payload);
        this.#options.metrics.paused(type);
        break;
      }
      if (feed.add(BigInt(offset))) {
        this.#arrive(type, { topic, partition, offset, timestamp, key, value }, rankOf(headers?.[RANK_HEADER]));
        arrivals += 1;
      }
      payload.resolveOffset(offset);
    }
    if (arrivals > 0) this.#options.onArrival();
  }

  /** Nobody has to read the message again. */
  settle({ place, bytes, type }: Pick<ArrivedTicket, 'place' | 'bytes' | 'type'>): void {
    this.#bytes -= bytes;
    this.#feed(place.topic, place.partition).settle(place.offset);
    this.resumeIfRoom(type);
  }

  /** Takes tickets out of the window that may be asked for. */
  next(types: readonly TaskType[], limit: number): ArrivedTicket[] {
    const taken = this.window.take(types, limit, this.#clock.monotonicMs());
    for (const type of new Set(taken.map((arrived) => arrived.type))) this.resumeIfRoom(type);
    return taken;
  }

  resumeIfRoom(type: TaskType): void {
    const { windowTickets = 64, metrics } = this.#options;
    const topic = TOPICS.tickets(type);
    const paused = [...this.#partitions.values()].filter((feed) => feed.topic === topic && feed.paused);
    if (paused.length === 0 || this.#isFull(type)) return;
    // Only when half of the window is free: a partition that is paused and resumed a ticket at a time reads all again.
    if (this.ready(type) > windowTickets / 2) return;
    for (const feed of paused) feed.resume();
    metrics.resumed(type);
  }

  /** Tickets of one type that may be asked for now. */
  ready(type: TaskType): number {
    return this.window.ready(type, this.#clock.monotonicMs());
  }

  /** Keeps the positions as they are, as far as they can be. */
  async flush(): Promise<void> {
    await Promise.all([...this.#partitions.values()].map((feed) => feed.flush()));
  }

  close(): void {
    this.#closing.abort();
    for (const feed of this.#partitions.values()) feed.close();
  }

  #feed(topic: string, partition: number): PartitionFeed {
    const name = `${topic}/${partition}`;
    let feed = this.#partitions.get(name);
    if (feed === undefined) {
      const { log, metrics } = this.#options;
      feed = new PartitionFeed(topic, partition, { log, onCommit: (status) => metrics.committed(status) });
      this.#partitions.set(name, feed);
    }
    return feed;
  }

  #isFull(type: TaskType): boolean {
    const { windowTickets = 64 } = this.#options;
    if (this.#bytes >= MOST_BYTES || this.ready(type) >= windowTickets) return true;
    const topic = TOPICS.tickets(type);
    let open = 0;
    for (const feed of this.#partitions.values()) if (feed.topic === topic) open += feed.open;
    return open >= MOST_OPEN;
  }

  #arrive(type: TaskType, record: KafkaRecord, rank: { readonly rankMs?: number }): void {
    const bytes = record.value?.length ?? 0;
    this.#bytes += bytes;
    const place: Place = { topic: record.topic, partition: record.partition, offset: BigInt(record.offset) };
    const reading = readKafkaRecord(record, executionTicket, { maxBytes: this.#options.maxMessageBytes });
    const problem = reading.ok ? misplaced(reading.value, type, record.key) : reading;
    if (reading.ok && problem === undefined) {
      const { ticket_id: ticketId, plan_id: planId, retry_count: retryCount } = reading.value;
      const content = { ticket: reading.value };
      this.window.put({ place, type, bytes, ticketId, planId, retryCount, content, ...rank });
      return;
    }
    const json = reading.ok ? undefined : reading.json;
    void this.#layAside({ place, type, bytes }, record, problem ?? UNKNOWN, json);
  }

  /** Apart from the reading, so that the partition goes on; settled only when it lies in the dead letters. */
  async #layAside(
    message: Pick<ArrivedTicket, 'place' | 'bytes' | 'type'>,
    record: KafkaRecord,
    problem: Problem,
    json: unknown,
  ): Promise<void> {
    const { bury, metrics, log, onArrival } = this.#options;
    const { topic, partition, offset } = record;
    log.error({ topic, partition, offset, ...problem }, 'a message is no ticket');
    for (let attempt = 0; ; attempt += 1) {
      try {
        await bury(record, problem);
        break;
      } catch (error) {
        log.warn({ topic, partition, offset, error: messageOf(error) }, 'a dead letter was not taken: trying again');
      }
      try {
        const { signal } = this.#closing;
        await sleep(fullJitterMs(attempt, BURY_BACKOFF), { clock: this.#clock, signal });
      } catch {
        return;
      }
    }
    metrics.buried(problem.reason);
    const address = ticketAddress.safeParse(json);
    if (!address.success) {
      this.settle(message);
      return;
    }
    // Somebody waits for this ticket: it is claimed, if it is one, and answered.
    const { ticket_id: ticketId, plan_id: planId, retry_count: retryCount } = address.data;
    this.window.put({ ...message, ticketId, planId, retryCount, content: { problem: problem.problem } });
    onArrival();
  }
}

const UNKNOWN: Problem = { reason: 'wrong-shape', problem: 'it is no ticket' };

/** A ticket that is none of this topic, or lies under the name of another. */
function misplaced(ticket: ExecutionTicket, type: TaskType, key: Buffer | null): Problem | undefined {
  const wrong = (problem: string): Problem => ({ reason: 'wrong-shape', problem });
  if (ticket.task_type !== type) return wrong(`task_type: is not ${type}, which the topic is for`);
  if (key?.toString('utf8') !== ticket.ticket_id) return wrong('ticket_id: is not the key of the message');
  return undefined;
}

/** Whoever writes nonsense there has no say. */
function rankOf(header: unknown): { readonly rankMs?: number } {
  const text = Buffer.isBuffer(header) ? header.toString('latin1') : '';
  return /^-?\d{1,15}$/.test(text) ? { rankMs: Number(text) } : {};
}

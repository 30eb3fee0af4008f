import {
  type Clock,
  fullJitterMs,
  type Logger,
  messageOf,
  type Random,
  sleep,
  systemClock,
} from '@neural-hive/security/common';
import type { KafkaReading, KafkaRecord, Problem } from '@neural-hive/service-runtime';
import type { EachBatchPayload } from 'kafkajs';
import { RefusedMessageError } from '../../ports/ticket-bus.ts';
import type { BusMetrics } from './bus-metrics.ts';

export interface BatchReaderOptions<T> {
  readonly read: (record: KafkaRecord) => KafkaReading<T>;
  /** The message is done with when it resolves. */
  readonly handle: (value: T) => Promise<void>;
  /** Lays a message aside; resolves when it is durable there. */
  readonly bury: (record: KafkaRecord, problem: Problem) => Promise<void>;
  readonly metrics: BusMetrics;
  readonly log: Logger;
  /** Handlers at the same time. Default 32. */
  readonly concurrency?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const BACKOFF = { baseMs: 100, capMs: 2_000 } as const;
/** Often enough for every session: kafkajs itself leaves out those that are not due. */
const HEARTBEAT_MS = 500;

/** The member stops, or its partition is somebody else's: what was not done comes again. */
class Interrupted extends Error {}

/**
 * Takes the messages of a batch, several at once, and keeps the position behind them when all are done. A handler that
 * fails is asked again until it works: the messages of a system that is away wait for it, and none is passed over.
 */
export class BatchReader<T> {
  readonly #options: BatchReaderOptions<T>;
  readonly #clock: Clock;
  readonly #closing = new AbortController();

  constructor(options: BatchReaderOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** For `eachBatch`, with `autoCommit` and `eachBatchAutoResolve` off. */
  async take(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const { concurrency = 32 } = this.#options;
    for (let first = 0; first < messages.length; first += concurrency) {
      const some = messages.slice(first, first + concurrency);
      const last = some.at(-1);
      if (last === undefined || this.#isOver(payload)) return;
      const records = some.map(({ offset, timestamp, key, value }) => ({
        topic,
        partition,
        offset,
        timestamp,
        key,
        value,
      }));
      try {
        await this.#whileAlive(payload, Promise.all(records.map((record) => this.#one(record, payload))));
      } catch (error) {
        if (error instanceof Interrupted) return;
        throw error;
      }
      payload.resolveOffset(last.offset);
      const offset = String(BigInt(last.offset) + 1n);
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
    }
  }

  /** Handlers that fail are asked no more; those that run end. */
  close(): void {
    this.#closing.abort();
  }

  #isOver(payload: EachBatchPayload): boolean {
    return this.#closing.signal.aborted || !payload.isRunning() || payload.isStale();
  }

  /** Tells the group that this member lives while its handlers work; fails when the group is formed anew. */
  async #whileAlive(payload: EachBatchPayload, work: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const beating = (async () => {
      for (;;) {
        await sleep(HEARTBEAT_MS, { clock: this.#clock, signal: over.signal }).catch(() => undefined);
        if (over.signal.aborted) return;
        await payload.heartbeat();
      }
    })();
    beating.catch(() => undefined);
    work.catch(() => undefined);
    try {
      await Promise.race([work, beating]);
    } finally {
      over.abort();
    }
  }

  async #one(record: KafkaRecord, payload: EachBatchPayload): Promise<void> {
    const { read, handle, metrics } = this.#options;
    const { topic } = record;
    const startMs = this.#clock.monotonicMs();
    const reading = read(record);
    if (!reading.ok) {
      await this.#layAside(record, reading, payload);
      return;
    }
    try {
      const tries = await this.#insist(record, payload, () => handle(reading.value));
      metrics.consumed(topic, (this.#clock.monotonicMs() - startMs) / 1_000, tries);
    } catch (error) {
      if (!(error instanceof RefusedMessageError)) throw error;
      await this.#layAside(record, { reason: 'refused', problem: error.message }, payload);
    }
  }

  async #layAside(record: KafkaRecord, problem: Problem, payload: EachBatchPayload): Promise<void> {
    const { bury, metrics, log } = this.#options;
    const { topic, partition, offset } = record;
    log.error(
      { topic, partition, offset, reason: problem.reason, problem: problem.problem },
      'a message is laid aside',
    );
    await this.#insist(record, payload, () => bury(record, problem));
    metrics.buried(topic, problem.reason);
  }

  /** How often it was tried. */
  async #insist(record: KafkaRecord, payload: EachBatchPayload, call: () => Promise<void>): Promise<number> {
    const { metrics, log, random = Math.random } = this.#options;
    const { topic, partition, offset } = record;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await call();
        return attempt + 1;
      } catch (error) {
        if (error instanceof RefusedMessageError) throw error;
        metrics.failed(topic);
        const fields = { topic, partition, offset, attempt, error: messageOf(error) };
        if (attempt === 0) log.warn(fields, 'a message could not be taken: trying again');
        else log.debug(fields, 'a message could not be taken: trying again');
      }
      const { signal } = this.#closing;
      const pauseMs = fullJitterMs(attempt, { ...BACKOFF, random });
      await sleep(pauseMs, { clock: this.#clock, signal }).catch(() => undefined);
      if (this.#isOver(payload)) throw new Interrupted('the member stops');
    }
  }
}

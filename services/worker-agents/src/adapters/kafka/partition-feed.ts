import { type Logger, messageOf, systemClock, type Timer } from '@neural-hive/security/common';
import type { EachBatchPayload } from 'kafkajs';
import { SettledOffsets } from './settled-offsets.ts';

/** A member that has to give up its partition says so by failing; then whoever has it reads on from what was kept. */
const COMMIT_RETRY_MS = 500;

/** One partition as this process reads it: what is settled, which member may keep the position, and who paused it. */
export class PartitionFeed {
  readonly topic: string;
  readonly partition: number;
  readonly #settled = new SettledOffsets();
  readonly #log: Logger;
  readonly #onCommit: (status: 'success' | 'failure') => void;
  readonly #resumes = new Set<() => void>();
  /** Of the newest member that read here: a rotation joins with a second one before the first leaves. */
  #member: EachBatchPayload | undefined;
  #kept: bigint | undefined;
  #committing: Promise<void> | undefined;
  #again: Timer | undefined;

  constructor(
    topic: string,
    partition: number,
    options: { readonly log: Logger; readonly onCommit: (status: 'success' | 'failure') => void },
  ) {
    this.topic = topic;
    this.partition = partition;
    this.#log = options.log;
    this.#onCommit = options.onCommit;
  }

  get open(): number {
    return this.#settled.open;
  }

  get paused(): boolean {
    return this.#resumes.size > 0;
  }

  /** From now on the position is kept by the member that read this batch. */
  read(batch: EachBatchPayload): void {
    this.#member = batch;
  }

  /** False: this process has the message already. */
  add(offset: bigint): boolean {
    const fresh = this.#settled.add(offset);
    // Read again: what was kept may be older than what we know.
    if (!fresh || (this.#kept !== undefined && offset < this.#kept)) this.#kept = undefined;
    return fresh;
  }

  settle(offset: bigint): void {
    this.#settled.settle(offset);
    this.#keep();
  }

  pause(batch: EachBatchPayload): void {
    this.#resumes.add(batch.pause());
  }

  /** Nothing happens unless it is paused. */
  resume(): void {
    for (const resume of this.#resumes) resume();
    this.#resumes.clear();
  }

  /** Resolves when the position is kept as it is now, or cannot be. */
  async flush(): Promise<void> {
    this.#again?.cancel();
    this.#keep();
    await this.#committing;
  }

  close(): void {
    this.#again?.cancel();
    this.#member = undefined;
  }

  #keep(): void {
    this.#committing ??= this.#commit().finally(() => {
      this.#committing = undefined;
    });
  }

  async #commit(): Promise<void> {
    this.#again?.cancel();
    for (;;) {
      const { position } = this.#settled;
      const member = this.#member;
      if (member === undefined || position === undefined || position === this.#kept) return;
      if (!this.#isOurs(member)) return;
      const partitions = [{ partition: this.partition, offset: String(position) }];
      try {
        await member.commitOffsetsIfNecessary({ topics: [{ topic: this.topic, partitions }] });
        this.#kept = position;
        this.#onCommit('success');
      } catch (error) {
        this.#onCommit('failure');
        const { topic, partition } = this;
        this.#log.debug({ topic, partition, error: messageOf(error) }, 'a position could not be kept: trying again');
        this.#again = systemClock.setTimer(COMMIT_RETRY_MS, () => this.#keep());
        return;
      }
    }
  }

  /**
   * A broker takes a position from any member of the group, and an old one from a former owner would have its successor
   * read again. A member that still has the partition knows of messages here that it read and did not keep.
   */
  #isOurs(member: EachBatchPayload): boolean {
    if (!member.isRunning()) return false;
    const read = member.uncommittedOffsets().topics.find(({ topic }) => topic === this.topic);
    // kafkajs has them as text there.
    return read?.partitions.some(({ partition }) => Number(partition) === this.partition) ?? false;
  }
}

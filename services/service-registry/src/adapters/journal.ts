import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '@neural-hive/security/common';
import { JournalError } from './journal-error.ts';
import { decodeJournal, encodeRecord } from './journal-record.ts';

interface Write {
  readonly text: string;
  readonly durable: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface OpenJournal {
  readonly journal: Journal;
  /** What the file held. */
  readonly records: readonly unknown[];
  /** Bytes that a crash had left half written. */
  readonly tornBytes: number;
}

/**
 * A file that only grows: records are appended and synced in groups, and now and then the whole file is replaced by a
 * shorter one that says the same. Survives SIGKILL at any instant, and a power cut as far as `append` resolved.
 */
export class Journal {
  readonly #path: string;
  /** All records that stand for the state as it is when called. */
  #whole: () => Iterable<unknown> = () => [];
  #handle: FileHandle;
  #bytes: number;
  #compactAboveBytes: number;
  #queue: Write[] = [];
  #pumping: Promise<void> | undefined;
  /** A write failed half way: nothing may be appended behind it, only a rewrite helps. */
  #broken: JournalError | undefined;
  #closed = false;

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#compactAboveBytes = compactAbove(bytes);
  }

  static async open(path: string): Promise<OpenJournal> {
    const handle = await open(path, 'a+', 0o600);
    try {
      const { records, goodBytes, tornBytes } = decodeJournal(await handle.readFile());
      if (tornBytes > 0) {
        await handle.truncate(goodBytes);
        await handle.datasync();
      }
      await syncFolder(path);
      return { journal: new Journal(path, handle, goodBytes), records, tornBytes };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Where a rewrite of the file takes its records from. Set it before the first append. */
  compactFrom(whole: () => Iterable<unknown>): void {
    this.#whole = whole;
  }

  /** The fault that keeps changes from becoming durable, if any. */
  get fault(): JournalError | undefined {
    return this.#broken;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves once the record is on the disk. Calls resolve in the order they were made. */
  append(record: unknown): Promise<void> {
    return this.#write(record, true);
  }

  /** Written soon, synced with the next `append`; a failure shows there. */
  appendLazily(record: unknown): void {
    this.#write(record, false).catch(() => undefined);
  }

  /** Writes what is queued. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pumping;
    if (this.#broken === undefined) await this.#handle.datasync();
    await this.#handle.close();
  }

  #write(record: unknown, durable: boolean): Promise<void> {
    if (this.#closed) return Promise.reject(new JournalError('journal_closed', 'The journal is closed'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ text: encodeRecord(record), durable, resolve, reject });
      this.#pumping ??= this.#pump().finally(() => {
        this.#pumping = undefined;
      });
    });
  }

  async #pump(): Promise<void> {
    // Lets everything that is written in this turn of the event loop share one sync.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        if (this.#broken !== undefined || this.#bytes > this.#compactAboveBytes) await this.#rewrite();
        else await this.#appendBatch(batch);
        this.#broken = undefined;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#broken = new JournalError('journal_write', `The journal cannot be written: ${messageOf(error)}`, {
          cause: error,
        });
        for (const { reject } of batch) reject(this.#broken);
      }
    }
  }

  async #appendBatch(batch: readonly Write[]): Promise<void> {
    const text = batch.map((write) => write.text).join('');
    await this.#handle.appendFile(text);
    if (batch.some(({ durable }) => durable)) await this.#handle.datasync();
    this.#bytes += Buffer.byteLength(text);
  }

  /** The batch that waits is part of the state already, so the new file holds it. */
  async #rewrite(): Promise<void> {
    const text = [...this.#whole()].map(encodeRecord).join('');
    const newPath = `${this.#path}.new`;
    const file = await open(newPath, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(newPath, this.#path);
    await syncFolder(this.#path);
    const previous = this.#handle;
    this.#handle = await open(this.#path, 'a', 0o600);
    await previous.close();
    this.#bytes = Buffer.byteLength(text);
    this.#compactAboveBytes = compactAbove(this.#bytes);
  }
}

function compactAbove(bytes: number): number {
  return Math.max(1_048_576, 4 * bytes);
}

/** A new name in a folder is durable only once the folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

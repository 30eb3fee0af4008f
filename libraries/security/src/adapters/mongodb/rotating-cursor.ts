import { Readable } from 'node:stream';
import type { AbstractCursor, CursorFlag, MongoClient, ReadConcernLike, ReadPreferenceLike } from 'mongodb';
import { type ClientHold, type ClientUses, whileHeld } from './client-uses.ts';

/** How to make the driver's cursor once it is known which client it runs on. */
export interface CursorSource<C> {
  readonly uses: ClientUses;
  /** The arguments of the call that asked for the cursor; they may name a session. */
  readonly args: readonly unknown[];
  readonly make: (client: MongoClient) => C;
}

interface Begun<C> {
  readonly cursor: C;
  readonly hold: ClientHold;
}

/**
 * A cursor that keeps its client from the first document that is asked for until the server has sent the last one, or
 * until `close`. Before that it keeps nothing: a cursor which is made and never read holds up no rotation.
 */
export class RotatingCursor<T, C extends AbstractCursor<T> = AbstractCursor<T>> implements AsyncDisposable {
  readonly #source: CursorSource<C>;
  readonly #shape: ((cursor: C) => unknown)[];
  #begun: Begun<C> | undefined;
  #closed = false;

  constructor(source: CursorSource<C>, shape: readonly ((cursor: C) => unknown)[] = []) {
    this.#source = source;
    this.#shape = [...shape];
  }

  get closed(): boolean {
    return this.#closed || this.#begun?.cursor.closed === true;
  }

  /** How many documents are here and not read yet. */
  bufferedCount(): number {
    return this.#begun?.cursor.bufferedCount() ?? 0;
  }

  /** The next document, `null` after the last one. */
  next(): Promise<T | null> {
    return this.#advance((cursor) => cursor.next(), null);
  }

  /** The next document when there is one now; for a cursor that waits for more. */
  tryNext(): Promise<T | null> {
    return this.#advance((cursor) => cursor.tryNext(), null);
  }

  hasNext(): Promise<boolean> {
    return this.#advance((cursor) => cursor.hasNext(), false);
  }

  toArray(): Promise<T[]> {
    return this.#advance<T[]>((cursor) => cursor.toArray(), []);
  }

  /** Stops when `visit` returns false. */
  async forEach(visit: (document: T) => unknown): Promise<void> {
    for await (const document of this) if (visit(document) === false) return;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    try {
      for (let document = await this.next(); document !== null; document = await this.next()) yield document;
    } finally {
      await this.close();
    }
  }

  stream(): Readable & AsyncIterable<T> {
    return Readable.from(this);
  }

  /** Frees the cursor on the server and lets its client go. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const begun = this.#begun;
    if (begun === undefined) return;
    try {
      await whileHeld(begun.hold, () => begun.cursor.close());
    } catch {
      // The cursor is gone with its client.
    } finally {
      begun.hold.release();
    }
  }

  /** Starts again from the first document, on the newest client. */
  rewind(): void {
    const begun = this.#begun;
    this.#begun = undefined;
    this.#closed = false;
    if (begun !== undefined) void begun.cursor.close().then(begun.hold.release, begun.hold.release);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  batchSize(value: number): this {
    return this.shaped((cursor) => cursor.batchSize(value));
  }

  maxTimeMS(value: number): this {
    return this.shaped((cursor) => cursor.maxTimeMS(value));
  }

  addCursorFlag(flag: CursorFlag, value: boolean): this {
    return this.shaped((cursor) => cursor.addCursorFlag(flag, value));
  }

  withReadPreference(readPreference: ReadPreferenceLike): this {
    return this.shaped((cursor) => cursor.withReadPreference(readPreference));
  }

  withReadConcern(readConcern: ReadConcernLike): this {
    return this.shaped((cursor) => cursor.withReadConcern(readConcern));
  }

  /** Remembered for the driver's cursor; one that has begun refuses it, as the driver's does. */
  protected shaped(step: (cursor: C) => unknown): this {
    if (this.#begun !== undefined) step(this.#begun.cursor);
    this.#shape.push(step);
    return this;
  }

  /** What a copy needs that has not begun. */
  protected parts(): [CursorSource<C>, readonly ((cursor: C) => unknown)[]] {
    return [this.#source, this.#shape];
  }

  /** Asks the server something about the cursor without beginning it. */
  protected ask<X>(question: (cursor: C) => Promise<X>): Promise<X> {
    const { uses, args, make } = this.#source;
    return uses.run(args, (client) => question(this.#shapedBy(make(client))));
  }

  async #advance<X>(step: (cursor: C) => Promise<X>, ended: X): Promise<X> {
    if (this.#begun === undefined && this.#closed) return ended;
    this.#begun ??= this.#begin();
    const { cursor, hold } = this.#begun;
    try {
      return await whileHeld(hold, () => step(cursor));
    } finally {
      // The server has nothing more: what is left to read is here.
      if (cursor.closed || cursor.id?.isZero()) hold.release();
    }
  }

  #begin(): Begun<C> {
    const { uses, args, make } = this.#source;
    const hold = uses.hold(args);
    try {
      return { hold, cursor: this.#shapedBy(make(hold.resource)) };
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  #shapedBy(cursor: C): C {
    for (const step of this.#shape) step(cursor);
    return cursor;
  }
}

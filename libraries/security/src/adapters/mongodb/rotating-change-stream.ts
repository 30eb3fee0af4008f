import { EventEmitter } from 'node:events';
import {
  type ChangeStream,
  type ChangeStreamDocument,
  type ChangeStreamOptions,
  type Document,
  MongoChangeStreamError,
  type MongoClient,
  type ResumeToken,
} from 'mongodb';
import { type ClientHold, type ClientUses, whileHeld } from './client-uses.ts';

export interface ChangeStreamSource<T extends Document, C extends Document> {
  readonly uses: ClientUses;
  readonly options: ChangeStreamOptions;
  readonly make: (client: MongoClient, options: ChangeStreamOptions) => ChangeStream<T, C>;
}

export interface RotatingChangeStreamEvents<C> {
  change: [change: C];
  error: [error: unknown];
  close: [];
}

interface Begun<T extends Document, C extends Document> {
  readonly stream: ChangeStream<T, C>;
  readonly hold: ClientHold;
}

/**
 * A change stream that moves to the newest client in a rotation. The old stream is closed at once, so it holds up no
 * drain; the new one resumes after the last change that was handed out, so that none is lost and none comes twice.
 * Read it with `next` or `for await`, or listen to `change`; not both.
 */
export class RotatingChangeStream<T extends Document = Document, C extends Document = ChangeStreamDocument<T>>
  extends EventEmitter<RotatingChangeStreamEvents<C>>
  implements AsyncDisposable
{
  readonly #source: ChangeStreamSource<T, C>;
  #begun: Begun<T, C> | undefined;
  #token: ResumeToken;
  #received = false;
  #state: 'open' | 'closed' | 'failed' = 'open';
  #pumping = false;

  constructor(source: ChangeStreamSource<T, C>) {
    super();
    this.#source = source;
    source.uses.track(this);
    (this as EventEmitter).on('newListener', (event) => {
      if (event === 'change') void this.#pump();
    });
  }

  /** The place after the last change that was handed out; undefined before the server has named one. */
  get resumeToken(): ResumeToken {
    return this.#begun?.stream.resumeToken ?? this.#token;
  }

  get closed(): boolean {
    return this.#state !== 'open';
  }

  /** The generation whose client it reads from now; 0 while it reads from none. */
  get generation(): number {
    return this.#begun?.hold.generation ?? 0;
  }

  /** Waits for the next change. */
  next(): Promise<C> {
    this.#refuseBesideListener();
    return this.#next();
  }

  /** The next change when there is one now, else `null`. */
  async tryNext(): Promise<C | null> {
    this.#refuseBesideListener();
    const change = await this.#advance((stream) => stream.tryNext());
    this.#received ||= change !== null;
    return change;
  }

  async hasNext(): Promise<boolean> {
    this.#refuseBesideListener();
    return this.#advance((stream) => stream.hasNext());
  }

  /** Ends when the stream is closed; throws when it fails. */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, void, void> {
    this.#refuseBesideListener();
    try {
      while (this.#state === 'open') {
        const change = await this.#nextUntilClosed();
        if (change === undefined) return;
        yield change;
      }
    } finally {
      await this.close();
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#end('closed');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseBesideListener(): void {
    if (this.#pumping) throw new TypeError('change: a listener gets the changes already');
  }

  async #next(): Promise<C> {
    const change = await this.#advance((stream) => stream.next());
    this.#received = true;
    return change;
  }

  /** Undefined once it was closed by whoever reads it. */
  async #nextUntilClosed(): Promise<C | undefined> {
    try {
      return await this.#next();
    } catch (error) {
      if (this.#state === 'closed') return undefined;
      throw error;
    }
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#state === 'open') {
      let change: C | undefined;
      try {
        change = await this.#nextUntilClosed();
      } catch (error) {
        this.emit('error', error);
        return;
      }
      if (change !== undefined) this.emit('change', change);
    }
  }

  async #advance<X>(step: (stream: ChangeStream<T, C>) => Promise<X>): Promise<X> {
    for (;;) {
      if (this.#state !== 'open') throw new MongoChangeStreamError('ChangeStream is closed');
      const begun = this.#begun ?? this.#begin();
      try {
        const result = await whileHeld(begun.hold, () => step(begun.stream));
        this.#token = begun.stream.resumeToken ?? this.#token;
        return result;
      } catch (error) {
        // Replaced meanwhile: the same step on the newest client, after the last change that got here.
        if (this.#begun !== begun && this.#state === 'open') continue;
        await this.#end('failed');
        throw error;
      }
    }
  }

  #begin(): Begun<T, C> {
    const { uses, make } = this.#source;
    const hold = uses.hold();
    try {
      const begun = { hold, stream: make(hold.resource, this.#resumeOptions()) };
      this.#begun = begun;
      hold.onRetire(() => void this.#leave(begun));
      return begun;
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  /** After an invalidation only `startAfter` works, until a change has come: so whoever asked for it keeps it. */
  #resumeOptions(): ChangeStreamOptions {
    if (this.#token === undefined) return this.#source.options;
    const { resumeAfter: _, startAfter, startAtOperationTime: __, ...options } = this.#source.options;
    const place = startAfter !== undefined && !this.#received ? 'startAfter' : 'resumeAfter';
    return { ...options, [place]: this.#token };
  }

  async #leave({ stream, hold }: Begun<T, C>): Promise<void> {
    if (this.#begun?.stream === stream) {
      this.#token = stream.resumeToken ?? this.#token;
      this.#begun = undefined;
    }
    // One that cannot be closed on the server is gone with its client.
    await whileHeld(hold, () => stream.close()).catch(() => undefined);
    hold.release();
  }

  async #end(state: 'closed' | 'failed'): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = state;
    this.#source.uses.untrack(this);
    if (this.#begun !== undefined) await this.#leave(this.#begun);
    this.emit('close');
  }
}

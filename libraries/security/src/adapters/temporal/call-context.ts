import { AsyncLocalStorage } from 'node:async_hooks';
import type { TemporalConnection, TemporalMetadata } from './connection.ts';

interface Context {
  readonly deadline?: number | Date;
  readonly metadata?: TemporalMetadata;
  readonly signal?: AbortSignal;
}

/**
 * Deadline, metadata and abort signal of the calls in a scope. Each connection keeps them for its own calls only; kept
 * here, they hold for whichever connection a call goes to.
 */
export class CallContext {
  readonly #storage = new AsyncLocalStorage<Context>();

  /** As with the driver, the innermost deadline and signal count, and metadata adds up. */
  run<R>(added: Context, work: () => Promise<R>): Promise<R> {
    const outer = this.#storage.getStore() ?? {};
    const metadata = added.metadata === undefined ? {} : { metadata: { ...outer.metadata, ...added.metadata } };
    return this.#storage.run({ ...outer, ...added, ...metadata }, work);
  }

  /** Makes a call on a connection as the scope says; `stop` ends it, too. */
  apply<R>(connection: TemporalConnection, stop: AbortSignal, call: () => Promise<R>): Promise<R> {
    const { deadline, metadata, signal } = this.#storage.getStore() ?? {};
    const stopped = signal === undefined ? stop : AbortSignal.any([signal, stop]);
    let scoped = within(call, (work) => connection.withAbortSignal(stopped, work));
    if (deadline !== undefined) scoped = within(scoped, (work) => connection.withDeadline(deadline, work));
    if (metadata !== undefined) scoped = within(scoped, (work) => connection.withMetadata(metadata, work));
    return scoped();
  }
}

function within<R>(work: () => Promise<R>, scope: (work: () => Promise<R>) => Promise<R>): () => Promise<R> {
  return () => scope(work);
}

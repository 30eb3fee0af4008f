import { type Clock, type Logger, messageOf, silentLogger, sleep, systemClock } from '../common/index.ts';
import type { CredentialConsumer, DrainOptions, Generation } from './credential.ts';
import { CredentialError } from './errors.ts';
import { ResourceGeneration, type ResourceHold } from './resource-generation.ts';
import type { RotatingCredential } from './rotating-credential.ts';

/** How to make and end one client of a server. */
export interface ResourceFactory<T, R> {
  /** Makes a client with the generation's value and shows that it works; a rejection keeps the generation in use. */
  open(generation: Generation<T>, options: { readonly signal: AbortSignal }): Promise<R>;
  /** Ends a client that nothing uses any more. */
  close(resource: R): unknown;
  /** Ends a client at once, with whatever runs on it. Default: `close`. */
  destroy?(resource: R): unknown;
}

export interface RotatingResourceOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
}

/** How long a client that nothing uses may take to close before it is destroyed. */
const CLOSE_LIMIT_MS = 5_000;

/**
 * A client that cannot change its login while it is connected: each generation of the credential gets a client of its
 * own. New work uses the newest one, work that began earlier ends on the one it began with.
 */
export class RotatingResource<T, R> implements CredentialConsumer<T> {
  readonly #credential: RotatingCredential<T>;
  readonly #factory: ResourceFactory<T, R>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #entries = new Map<number, ResourceGeneration<R>>();
  #current: ResourceGeneration<R> | undefined;
  #detach: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    credential: RotatingCredential<T>,
    factory: ResourceFactory<T, R>,
    options: RotatingResourceOptions,
  ) {
    this.#credential = credential;
    this.#factory = factory;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Resolves when the first client works. */
  static async open<T, R>(
    credential: RotatingCredential<T>,
    factory: ResourceFactory<T, R>,
    options: RotatingResourceOptions = {},
  ): Promise<RotatingResource<T, R>> {
    const rotating = new RotatingResource<T, R>(credential, factory, options);
    // Attached first: a rotation while the first client is being opened publishes the next one all the same.
    rotating.#detach = credential.attach(rotating);
    try {
      const first = credential.current();
      const entry = await rotating.#entry(first, options.signal ?? new AbortController().signal);
      if ((rotating.#current?.generation ?? 0) < first.generation) rotating.#current = entry;
      else await rotating.#end(entry);
    } catch (error) {
      rotating.#detach();
      throw error;
    }
    return rotating;
  }

  /** The generation that new work uses. */
  get generation(): number {
    return this.#newest().generation;
  }

  /** What runs, by generation; generations whose client is closed are left out. */
  uses(): ReadonlyMap<number, number> {
    return new Map([...this.#entries.values()].map(({ generation, uses }) => [generation, uses]));
  }

  /** Runs `work` on the newest client, which stays open until `work` has ended or the drain deadline comes. */
  async use<X>(work: (resource: R) => X | Promise<X>): Promise<X> {
    const hold = this.hold();
    try {
      return await work(hold.resource);
    } finally {
      hold.release();
    }
  }

  /** Takes the newest client for longer, as for a cursor or a subscription. Release it, however that ends. */
  hold(): ResourceHold<R> {
    return this.#newest().hold();
  }

  async probe(candidate: Generation<T>, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.#closing === undefined) await this.#entry(candidate, signal);
  }

  async publish(next: Generation<T>): Promise<void> {
    if (this.#closing === undefined) this.#current = await this.#entry(next, new AbortController().signal);
  }

  async discard(candidate: Generation<T>): Promise<void> {
    const entry = this.#entries.get(candidate.generation);
    if (entry === undefined || entry === this.#current) return;
    // Work that began on it before another consumer refused has no credential to go on with.
    entry.terminate(this.#terminated(entry.generation));
    await this.#end(entry);
  }

  async drain({ generation }: Generation<T>, options: DrainOptions): Promise<{ terminated: number }> {
    const old = [...this.#entries.values()].filter((entry) => entry.generation <= generation);
    const terminated = await Promise.all(old.map((entry) => this.#drainOne(entry, options)));
    return { terminated: terminated.reduce((sum, count) => sum + count, 0) };
  }

  /** Lets what runs end, then closes every client. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown(async (entry) => {
      await entry.idle();
      await this.#end(entry);
    });
    return this.#closing;
  }

  /** Ends every client now. Idempotent. */
  destroy(): Promise<void> {
    const ended = this.#shutDown((entry) => this.#destroy(entry, this.#closed()));
    this.#closing ??= ended;
    return ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #newest(): ResourceGeneration<R> {
    if (this.#current === undefined || this.#closing !== undefined) throw this.#closed();
    return this.#current;
  }

  /** The client of a generation: the one that was probed, the one that was in use before, or a new one. */
  async #entry(of: Generation<T>, signal: AbortSignal): Promise<ResourceGeneration<R>> {
    const known = this.#entries.get(of.generation);
    if (known !== undefined) return known;
    const resource = await this.#factory.open(of, { signal });
    const entry = new ResourceGeneration(of.generation, resource);
    this.#entries.set(of.generation, entry);
    return entry;
  }

  async #drainOne(entry: ResourceGeneration<R>, { deadlineMs, signal }: DrainOptions): Promise<number> {
    // The credential itself is being closed: there is nothing newer.
    if (entry === this.#current) this.#current = undefined;
    entry.retire(deadlineMs);
    const over = new AbortController();
    const waitMs = Math.max(0, deadlineMs - this.#clock.now());
    const limit = sleep(waitMs, { clock: this.#clock, signal: AbortSignal.any([signal, over.signal]) });
    await Promise.race([entry.idle(), limit.catch(() => undefined)]);
    over.abort();
    const busy = entry.uses;
    if (busy === 0) await this.#end(entry);
    else await this.#destroy(entry, this.#terminated(entry.generation));
    return busy;
  }

  /** Closes a client; one that does not close in time is destroyed. */
  async #end(entry: ResourceGeneration<R>): Promise<void> {
    if (!this.#entries.delete(entry.generation)) return;
    const over = new AbortController();
    const limit = sleep(CLOSE_LIMIT_MS, { clock: this.#clock, signal: over.signal }).then(() => {
      throw new Error(`not closed within ${CLOSE_LIMIT_MS} ms`);
    });
    limit.catch(() => undefined);
    try {
      await Promise.race([this.#factory.close(entry.resource), limit]);
    } catch (error) {
      this.#logger.warn({ credential: this.#credential.name, cause: messageOf(error) }, 'closing a client failed');
      await this.#force(entry);
    } finally {
      over.abort();
    }
  }

  async #destroy(entry: ResourceGeneration<R>, reason: CredentialError): Promise<void> {
    entry.terminate(reason);
    if (this.#entries.delete(entry.generation)) await this.#force(entry);
  }

  async #force({ resource }: ResourceGeneration<R>): Promise<void> {
    const { destroy = this.#factory.close } = this.#factory;
    try {
      await destroy.call(this.#factory, resource);
    } catch (error) {
      this.#logger.warn({ credential: this.#credential.name, cause: messageOf(error) }, 'destroying a client failed');
    }
  }

  async #shutDown(end: (entry: ResourceGeneration<R>) => Promise<void>): Promise<void> {
    const entries = [...this.#entries.values()];
    await Promise.all(entries.map(end));
    this.#detach();
  }

  #terminated(generation: number): CredentialError {
    const message = `Draining ${this.#credential.name}: work of generation ${generation} ran past the deadline and was ended; run it again`;
    return new CredentialError('session-terminated', message, { retryable: true });
  }

  #closed(): CredentialError {
    return new CredentialError('closed', `Using a client of ${this.#credential.name}: it was closed`);
  }
}

import { messageOf, SingleFlight } from '@neural-hive/security/common';
import { RegistryError } from '../../domain/registry-error.ts';
import { startFeed } from './feed.ts';
import type { RedisLink } from './redis-link.ts';
import { type LogEntry, ReplicaView } from './replica-view.ts';
import { loadedOf } from './script-answers.ts';
import type { SharedClock } from './shared-clock.ts';
import { SCRIPTS } from './write-script.ts';

export interface LiveViewOptions {
  /** Stays open when the view is closed. */
  readonly link: RedisLink;
  readonly clock: SharedClock;
  readonly keptChanges: number;
}

/** A copy of what Redis holds that follows every write, and can be brought up to date at once. */
export class LiveView {
  readonly #link: RedisLink;
  readonly #clock: SharedClock;
  readonly #keptChanges: number;
  readonly #listeners = new Set<() => void>();
  readonly #loading = new SingleFlight<'all', void>();
  readonly #feed: { close(): Promise<void> };
  #view: ReplicaView;
  /** A connection was lost and is back: this server may know less than what was read before. */
  #stale = false;
  #fault: Error | undefined;
  #reading: Promise<void> = Promise.resolve();
  #nextRead: Promise<void> | undefined;

  private constructor({ link, clock, keptChanges }: LiveViewOptions, view: ReplicaView) {
    this.#link = link;
    this.#clock = clock;
    this.#keptChanges = keptChanges;
    this.#view = view;
    link.onReturn(() => {
      this.#stale = true;
    });
    this.#feed = startFeed({
      clock,
      follow: () => this.#follow(),
      reload: () => this.reload(),
      onFault: (error) => this.#fail(error),
    });
  }

  static async open(options: LiveViewOptions): Promise<LiveView> {
    return new LiveView(options, await load(options));
  }

  /** The copy as it is now, perhaps some milliseconds old. */
  get current(): ReplicaView {
    return this.#view;
  }

  /** Why the copy cannot follow now, or undefined. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Throws `store_failed` when nothing can be asked of Redis now: waiting for it would only make callers queue. */
  assertReachable(): void {
    if (this.#fault !== undefined || !this.#link.isReady) {
      throw new RegistryError('store_failed', 'Redis cannot be reached: try again', { cause: this.#fault });
    }
  }

  /** The copy with everything in it that was written before the call. Callers of one moment share one read. */
  async catchUp(): Promise<ReplicaView> {
    this.assertReachable();
    // The read that is under way may have begun before the write that its caller wants to see.
    this.#nextRead ??= this.#reading.then(() => {
      const read = this.#readOn();
      this.#reading = read.catch(() => undefined);
      this.#nextRead = undefined;
      return read;
    });
    await this.#nextRead;
    return this.#view;
  }

  /** Reads everything again. */
  reload(): Promise<void> {
    return this.#loading.run('all', async () => {
      this.#stale = false;
      try {
        this.#view = await load(this.#options(), this.#view);
        this.#fault = undefined;
      } catch (error) {
        this.#stale = true;
        throw error;
      }
      this.#tell();
    });
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#feed.close();
  }

  async #readOn(): Promise<void> {
    if (this.#stale) return this.reload();
    let entries: readonly LogEntry[];
    do {
      entries = await this.#link.read(this.#view.seq);
      await this.#take(entries);
    } while (entries.length > 0);
  }

  async #follow(): Promise<void> {
    if (this.#stale) await this.reload();
    await this.#take(await this.#link.follow(this.#view.seq));
  }

  async #take(entries: readonly LogEntry[]): Promise<void> {
    let changed = false;
    for (const entry of entries) {
      const outcome = this.#view.apply(entry);
      if (outcome === 'missed') return this.reload();
      if (outcome === 'applied' && entry.kind === 'change') changed = true;
    }
    if (changed) this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #fail(error: unknown): void {
    const message = `Redis cannot be followed: ${messageOf(error)}`;
    this.#fault ??= new RegistryError('store_failed', message, { cause: error });
  }

  #options(): LiveViewOptions {
    return { link: this.#link, clock: this.#clock, keptChanges: this.#keptChanges };
  }
}

/** `known` is what was read before: numbers up to there are not given out again. */
async function load({ link, clock, keptChanges }: LiveViewOptions, known?: ReplicaView): Promise<ReplicaView> {
  const sentMs = clock.ownMs();
  const answer = await link.run(SCRIPTS.load, [known?.seq ?? 0, known?.log.revision ?? 0]);
  const { loaded, timeMs } = loadedOf(answer);
  clock.observe(timeMs, sentMs, clock.ownMs());
  return new ReplicaView(loaded, keptChanges);
}

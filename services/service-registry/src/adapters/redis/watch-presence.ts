import { WatchedNames } from '../watched-names.ts';
import type { RedisLink } from './redis-link.ts';

/**
 * Says to other replicas under which names somebody watches here: by a subscription, which ends with the connection, so
 * that nothing has to be cleared up after a replica that was killed.
 */
export class WatchPresence {
  readonly #link: RedisLink;
  readonly #watching = new WatchedNames();
  readonly #subscribed = new Set<string>();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** Resolves once the others can know, with the function that takes it back. */
  async announce(name: string): Promise<() => Promise<void>> {
    const leave = this.#watching.add(name);
    const forget = async (): Promise<void> => {
      // A connection that is lost has no subscriptions.
      if (leave()) await this.#inTurn(() => this.#settle(name)).catch(() => undefined);
    };
    try {
      await this.#inTurn(() => this.#settle(name));
    } catch (error) {
      await forget();
      throw error;
    }
    return forget;
  }

  /** One after another: the driver takes a name for subscribed until the answer to its end is there. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #settle(name: string): Promise<void> {
    if (this.#watching.has(name) === this.#subscribed.has(name)) return;
    if (this.#watching.has(name)) {
      await this.#link.subscribe(name);
      this.#subscribed.add(name);
    } else {
      this.#subscribed.delete(name);
      await this.#link.unsubscribe(name);
    }
  }
}

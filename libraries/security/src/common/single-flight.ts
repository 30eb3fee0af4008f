/** Calls with the same key that overlap share one execution. */
export class SingleFlight<Key, Value> {
  readonly #inFlight = new Map<Key, Promise<Value>>();

  run(key: Key, execute: () => Promise<Value>): Promise<Value> {
    const existing = this.#inFlight.get(key);
    if (existing !== undefined) return existing;
    const started = execute().finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, started);
    return started;
  }
}

interface Entry<V> {
  readonly value: V;
  readonly expiresAtMs: number;
}

/** A map for caches: it holds at most so many entries, each until its own end. The least recently used goes first. */
export class BoundedMap<K, V> {
  readonly #maxEntries: number;
  readonly #entries = new Map<K, Entry<V>>();

  /** @param maxEntries 0 keeps nothing. @throws RangeError when it is no natural number */
  constructor(maxEntries: number) {
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 0) throw new RangeError('maxEntries: must be 0 or more');
    this.#maxEntries = maxEntries;
  }

  /** Expired entries count until they are asked for or make room. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param nowMs Without it no entry is too old. */
  get(key: K, nowMs?: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (nowMs !== undefined && nowMs >= entry.expiresAtMs) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** @param expiresAtMs From this moment on the entry is not there, default never. */
  set(key: K, value: V, expiresAtMs = Number.POSITIVE_INFINITY): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, expiresAtMs });
    if (this.#entries.size <= this.#maxEntries) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  *values(): Generator<V> {
    for (const { value } of this.#entries.values()) yield value;
  }
}

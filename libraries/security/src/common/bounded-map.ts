interface Entry<V> {
  readonly value: V;
  readonly expiresAtMs: number;
  /** Since it last could have gone. */
  used: boolean;
}

/** A map for caches: it holds at most so many entries, each until its own end. The oldest goes first, but one that
 * was used gets a second round; so a hit moves nothing. */
export class BoundedMap<K, V> {
  readonly #maxEntries: number;
  readonly #entries = new Map<K, Entry<V>>();
  readonly #onEvict: ((key: K, value: V) => void) | undefined;

  /**
   * @param maxEntries 0 keeps nothing.
   * @param onEvict Hears of each entry that made room for another or was found expired.
   * @throws RangeError when `maxEntries` is no natural number
   */
  constructor(maxEntries: number, onEvict?: (key: K, value: V) => void) {
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 0) throw new RangeError('maxEntries: must be 0 or more');
    this.#maxEntries = maxEntries;
    this.#onEvict = onEvict;
  }

  /** Expired entries count until they are asked for or make room. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param nowMs Without it no entry is too old. */
  get(key: K, nowMs?: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (nowMs !== undefined && nowMs >= entry.expiresAtMs) {
      this.#entries.delete(key);
      this.#onEvict?.(key, entry.value);
      return undefined;
    }
    entry.used = true;
    return entry.value;
  }

  /** @param expiresAtMs From this moment on the entry is not there, default never. */
  set(key: K, value: V, expiresAtMs = Number.POSITIVE_INFINITY): void {
    this.#entries.delete(key);
    if (this.#maxEntries === 0) return;
    if (this.#entries.size === this.#maxEntries) this.#makeRoom();
    this.#entries.set(key, { value, expiresAtMs, used: false });
  }

  /** Ends, since an entry that was moved is no longer used. */
  #makeRoom(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (!entry.used) {
        this.#onEvict?.(key, entry.value);
        return;
      }
      entry.used = false;
      this.#entries.set(key, entry);
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

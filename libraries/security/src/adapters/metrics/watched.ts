/** What is open now. What is closed is let go of. */
export class Watched<T extends object> implements Iterable<T> {
  readonly #open = new Set<T>();

  /** The returned function takes it out again. */
  add(one: T): () => void {
    this.#open.add(one);
    return () => void this.#open.delete(one);
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#open.values();
  }
}

/** Of several that share a key the one that ends first counts; one that never ends does not. */
export function soonest<Key>(lives: Iterable<readonly [Key, number | undefined]>): Map<Key, number> {
  const found = new Map<Key, number>();
  for (const [key, seconds] of lives) {
    if (seconds !== undefined) found.set(key, Math.min(seconds, found.get(key) ?? Number.POSITIVE_INFINITY));
  }
  return found;
}

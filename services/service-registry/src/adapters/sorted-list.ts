/** Items in order. One more or less moves those behind it, which for tens of thousands is quicker than a tree. */
export class SortedList<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  /** `compare` is 0 for one and the same item only. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get length(): number {
    return this.#items.length;
  }

  /** The item must not be there. */
  add(item: T): void {
    this.#items.splice(this.#firstAbove(item), 0, item);
  }

  /** The item must compare as it did when it was added. */
  delete(item: T): void {
    const index = this.#firstAbove(item) - 1;
    if (this.#items[index] === item) this.#items.splice(index, 1);
  }

  at(index: number): T | undefined {
    return this.#items[index];
  }

  /** Up to `limit` items behind one that need not be there. */
  after(item: T, limit: number): readonly T[] {
    const start = this.#firstAbove(item);
    return this.#items.slice(start, start + limit);
  }

  #firstAbove(item: T): number {
    let low = 0;
    for (let high = this.#items.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#items[middle] as T, item) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Ids in order. One more or less moves the ids behind it, which for tens of thousands is quicker than a tree. */
export class SortedIds {
  readonly #ids: string[] = [];

  /** The id must not be there. */
  add(id: string): void {
    this.#ids.splice(this.#firstAbove(id), 0, id);
  }

  delete(id: string): void {
    const index = this.#firstAbove(id) - 1;
    if (this.#ids[index] === id) this.#ids.splice(index, 1);
  }

  /** Up to `limit` ids behind `id`, which need not be there. */
  after(id: string, limit: number): readonly string[] {
    const start = this.#firstAbove(id);
    return this.#ids.slice(start, start + limit);
  }

  #firstAbove(id: string): number {
    let low = 0;
    for (let high = this.#ids.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? '') <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

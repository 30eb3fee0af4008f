/**
 * Which messages of one partition are settled. The position that may be kept is the first one that is not, however many
 * later ones are: whoever reads on from there meets every message that nobody has done.
 */
export class SettledOffsets {
  /** By offset, ascending: those that are not settled, and those settled behind one that is not. */
  #offsets = new Map<bigint, boolean>();
  /** The highest of them. */
  #last = -1n;
  #next: bigint | undefined;
  #open = 0;

  /** False: it is here already. A message before the position is taken in again, since a topic may have begun anew. */
  add(offset: bigint): boolean {
    if (this.#offsets.has(offset)) return false;
    this.#offsets.set(offset, false);
    this.#open += 1;
    if (this.#offsets.size === 1 || offset > this.#last) this.#last = offset;
    else this.#offsets = new Map([...this.#offsets].sort(([a], [b]) => (a < b ? -1 : 1)));
    return true;
  }

  /** Settling what is not here, or is settled already, changes nothing. */
  settle(offset: bigint): void {
    if (this.#offsets.get(offset) !== false) return;
    this.#offsets.set(offset, true);
    this.#open -= 1;
    for (const [first, settled] of this.#offsets) {
      if (!settled) break;
      this.#offsets.delete(first);
      this.#next = first + 1n;
    }
  }

  /** What may be kept; undefined before anything is known. */
  get position(): bigint | undefined {
    for (const first of this.#offsets.keys()) return first;
    return this.#next;
  }

  /** How many messages are not settled. */
  get open(): number {
    return this.#open;
  }
}

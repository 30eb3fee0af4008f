/** From this share of all slots on, a bit for each slot is smaller than a list of the members. */
export const DENSE_SHARE = 1 / 32;

/** Whole numbers from 0: few of them as they are, many as bits, so that neither costs more memory than its members need. */
export class SlotSet {
  #few: Set<number> | undefined = new Set();
  #bits: Uint32Array = NO_BITS;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(slot: number): boolean {
    if (this.#few !== undefined) return this.#few.has(slot);
    return ((this.#bits[slot >>> 5] ?? 0) & (1 << (slot & 31))) !== 0;
  }

  /** `slots`: how many there are in all. The member must not be there. */
  add(slot: number, slots: number): void {
    this.#size += 1;
    if (this.#few !== undefined) {
      this.#few.add(slot);
      if (this.#size >= slots * DENSE_SHARE) this.#toBits(slots);
      return;
    }
    if (slot >>> 5 >= this.#bits.length) this.#bits = grown(this.#bits, slots);
    this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] ?? 0) | (1 << (slot & 31));
    this.#thin(slots);
  }

  /** The member must be there. */
  delete(slot: number, slots: number): void {
    this.#size -= 1;
    if (this.#few !== undefined) {
      this.#few.delete(slot);
      return;
    }
    this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] ?? 0) & ~(1 << (slot & 31));
    this.#thin(slots);
  }

  *[Symbol.iterator](): Generator<number, void> {
    if (this.#few !== undefined) {
      yield* this.#few;
      return;
    }
    for (const [index, word] of this.#bits.entries()) {
      for (let rest = word; rest !== 0; rest &= rest - 1) yield index * 32 + 31 - Math.clz32(rest & -rest);
    }
  }

  #toBits(slots: number): void {
    const members = this.#few ?? [];
    this.#few = undefined;
    this.#bits = grown(NO_BITS, slots);
    for (const slot of members) this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] ?? 0) | (1 << (slot & 31));
  }

  /** At half of the share, so that one member more or less does not turn it over and over. */
  #thin(slots: number): void {
    if (this.#size >= (slots * DENSE_SHARE) / 2) return;
    this.#few = new Set(this);
    this.#bits = NO_BITS;
  }
}

const NO_BITS = new Uint32Array(0);

/** With room for half as many slots again, so that it does not grow with each of them. */
function grown(bits: Uint32Array, slots: number): Uint32Array {
  const larger = new Uint32Array(((slots * 1.5) >>> 5) + 1);
  larger.set(bits);
  return larger;
}

/** Numbers that look random and are the same for the same seed: nothing else, no clock and no system, goes into them. */
export class SeededRandom {
  #state: number;

  /** Only the lower 32 bits of `seed` count. `stream` keeps two uses of one seed from seeing the same numbers. */
  constructor(seed: number, stream = 0) {
    this.#state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0;
  }

  /** In [0, 1). A Weyl sequence through the finaliser of a 32-bit hash: each state is met once in 2^32 steps. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(values: readonly [T, ...T[]]): T {
    return values[Math.floor(this.next() * values.length)] ?? values[0];
  }

  /** `count` different values, in the order of `values`. */
  sample<T>(values: readonly T[], count: number): T[] {
    const left = values.map((_, index) => index);
    while (left.length > count) left.splice(this.between(0, left.length - 1), 1);
    return values.filter((_, index) => left.includes(index));
  }
}

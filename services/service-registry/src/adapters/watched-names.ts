/** The names under which somebody watches, each as often as it was added. */
export class WatchedNames {
  readonly #counts = new Map<string, number>();

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  /** Returns the function that takes it out once; that one is true when nobody is left under the name. */
  add(name: string): () => boolean {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    let added = true;
    return () => {
      if (!added) return false;
      added = false;
      const left = (this.#counts.get(name) ?? 1) - 1;
      if (left > 0) this.#counts.set(name, left);
      else this.#counts.delete(name);
      return left === 0;
    };
  }
}

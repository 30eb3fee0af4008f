/**
 * One immutable value that readers take whole and a single writer replaces. `generation` counts the
 * replacements, starting with 1 for the first value.
 */
export class SnapshotCell<T> {
  #current: { readonly value: T; readonly generation: number } | undefined;
  readonly #listeners = new Set<(value: T, generation: number) => void>();

  get(): T | undefined {
    return this.#current?.value;
  }

  /** 0 before the first value. */
  get generation(): number {
    return this.#current?.generation ?? 0;
  }

  set(value: T): void {
    this.#current = { value, generation: this.generation + 1 };
    for (const listener of [...this.#listeners]) listener(value, this.#current.generation);
  }

  onChange(listener: (value: T, generation: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves with the next value that is set; rejects with the signal's reason when it is aborted first. */
  waitForUpdate(options: { signal?: AbortSignal } = {}): Promise<T> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        stop();
        reject(signal?.reason);
      };
      const stop = this.onChange((value) => {
        stop();
        signal?.removeEventListener('abort', onAbort);
        resolve(value);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

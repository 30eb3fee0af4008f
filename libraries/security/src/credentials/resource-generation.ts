/** A client that is held for longer than one call. */
export interface ResourceHold<R> {
  readonly resource: R;
  readonly generation: number;
  /** Aborted with a `CredentialError` when the client is taken away before it was released. */
  readonly signal: AbortSignal;
  /** Calls back once a newer generation is in use: end the work, or begin it anew, before `deadlineMs` (epoch). */
  onRetire(listener: (retirement: { readonly deadlineMs: number }) => void): void;
  /** Idempotent. */
  release(): void;
}

interface Holder {
  readonly stop: AbortController;
  readonly listeners: ((retirement: { readonly deadlineMs: number }) => void)[];
}

/** The client of one generation and who uses it. */
export class ResourceGeneration<R> {
  readonly generation: number;
  readonly resource: R;
  readonly #holders = new Set<Holder>();
  readonly #waiting: (() => void)[] = [];
  #retirement: { readonly deadlineMs: number } | undefined;

  constructor(generation: number, resource: R) {
    this.generation = generation;
    this.resource = resource;
  }

  get uses(): number {
    return this.#holders.size;
  }

  hold(): ResourceHold<R> {
    const holder: Holder = { stop: new AbortController(), listeners: [] };
    this.#holders.add(holder);
    return {
      resource: this.resource,
      generation: this.generation,
      signal: holder.stop.signal,
      onRetire: (listener) => {
        if (this.#retirement === undefined) holder.listeners.push(listener);
        else listener(this.#retirement);
      },
      release: () => {
        if (!this.#holders.delete(holder) || this.#holders.size > 0) return;
        for (const resolve of this.#waiting.splice(0)) resolve();
      },
    };
  }

  /** Resolves when nothing uses the client, now or later. */
  idle(): Promise<void> {
    if (this.#holders.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  retire(deadlineMs: number): void {
    const retirement = { deadlineMs };
    this.#retirement = retirement;
    for (const { listeners } of [...this.#holders]) for (const listener of listeners.splice(0)) listener(retirement);
  }

  /** Tells whoever still holds the client that it is gone. */
  terminate(reason: Error): void {
    for (const { stop } of [...this.#holders]) stop.abort(reason);
  }
}

/** Resources in the order they were opened; they close in reverse. */
export class ResourceStack {
  readonly #closers: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  /** Takes over an opened resource. */
  use<T extends { close(): unknown }>(resource: T): T {
    this.#closers.push(() => resource.close());
    return resource;
  }

  defer(close: () => unknown): void {
    this.#closers.push(close);
  }

  /** Closes every resource, also behind one that fails to close; rejects with what failed. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 1) throw new AggregateError(errors, 'Several resources did not close');
    if (errors.length === 1) throw errors[0];
  }
}

/** Opens with a stack: what `open` has opened is closed again when it throws. */
export async function withResources<T>(open: (resources: ResourceStack) => Promise<T>): Promise<T> {
  const resources = new ResourceStack();
  try {
    return await open(resources);
  } catch (error) {
    await resources.close().catch(() => undefined);
    throw error;
  }
}

/** What a run did, or with `plan` would do. Names are those of policies, mounts and entries. */
export interface SetupReport {
  readonly created: readonly string[];
  readonly updated: readonly { readonly name: string; readonly fields: readonly string[] }[];
  readonly unchanged: readonly string[];
  /** This product has nothing that could serve it; whoever needs it reads KV instead. */
  readonly unavailable: readonly { readonly name: string; readonly reason: string }[];
}

export class ReportBuilder {
  readonly #created: string[] = [];
  readonly #updated: { name: string; fields: readonly string[] }[] = [];
  readonly #unchanged: string[] = [];
  readonly #unavailable: { name: string; reason: string }[] = [];

  created(name: string): void {
    this.#created.push(name);
  }

  updated(name: string, fields: readonly string[]): void {
    this.#updated.push({ name, fields });
  }

  unchanged(name: string): void {
    this.#unchanged.push(name);
  }

  unavailable(name: string, reason: string): void {
    this.#unavailable.push({ name, reason });
  }

  isUnavailable(name: string): boolean {
    return this.#unavailable.some((entry) => entry.name === name);
  }

  build(): SetupReport {
    return {
      created: this.#created,
      updated: this.#updated,
      unchanged: this.#unchanged,
      unavailable: this.#unavailable,
    };
  }
}

import type { SealedFile } from './sealed-file.ts';

/** A part of the state that knows how to write itself down; what it returns must survive JSON. */
export interface StateSection {
  save(): unknown;
}

/**
 * Makes memory durable. `commit()` resolves when everything that was true at the call is on the disk; calls that come
 * while a write runs share the next one.
 */
export class Journal {
  readonly #file: SealedFile;
  readonly #sections: Map<string, StateSection> = new Map();
  #writing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(file: SealedFile) {
    this.#file = file;
  }

  add(name: string, section: StateSection): void {
    this.#sections.set(name, section);
  }

  commit(): Promise<void> {
    if (this.#queued !== undefined) return this.#queued;
    if (this.#writing === undefined) return this.#write();
    this.#queued = this.#writing
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.#write();
      });
    return this.#queued;
  }

  #write(): Promise<void> {
    const content: Record<string, unknown> = {};
    for (const [name, section] of this.#sections) content[name] = section.save();
    this.#writing = this.#file.write(Buffer.from(JSON.stringify(content))).finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }
}

import { inspect } from 'node:util';

const HIDDEN = '[secret]';

/** Holds a value that shows itself to nobody who does not ask by name: not to logs, JSON, templates or `util.inspect`. */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Keep it for as short as possible. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

import { parseDuration } from '../duration.ts';
import { invalid } from '../fault.ts';

/** The body of a request, read field by field. Clients send numbers and flags as text too, and lists with commas. */
export class Fields {
  readonly raw: Readonly<Record<string, unknown>>;

  constructor(raw: Readonly<Record<string, unknown>> = {}) {
    this.raw = raw;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.raw, name) && this.raw[name] !== null;
  }

  get(name: string): unknown {
    return Object.hasOwn(this.raw, name) ? this.raw[name] : undefined;
  }

  text(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.get(name);
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    throw wrongType(name, 'text');
  }

  flag(name: string): boolean | undefined {
    if (!this.has(name)) return undefined;
    const value = this.get(name);
    if (typeof value === 'boolean') return value;
    if (value === 'true' || value === '1' || value === 1) return true;
    if (value === 'false' || value === '0' || value === '' || value === 0) return false;
    throw wrongType(name, 'true or false');
  }

  integer(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.get(name);
    const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
    throw wrongType(name, 'a whole number');
  }

  seconds(name: string): number | undefined {
    return this.has(name) ? parseDuration(this.get(name), name) : undefined;
  }

  /** A list, or text with commas. Empty entries are left out. */
  list(name: string): string[] | undefined {
    return this.#list(name, (text) => text.split(',').map((entry) => entry.trim()));
  }

  /** A list whose entries may hold commas, as SQL and PEM do; text is a list of one. */
  texts(name: string): string[] | undefined {
    return this.#list(name, (text) => [text]);
  }

  record(name: string): Record<string, unknown> | undefined {
    if (!this.has(name)) return undefined;
    const value = this.get(name);
    if (isRecord(value)) return value;
    throw wrongType(name, 'an object');
  }

  /** An object whose values are text. */
  textRecord(name: string): Record<string, string> | undefined {
    const record = this.record(name);
    if (record === undefined) return undefined;
    const entries = Object.entries(record).map(([key, value]): [string, string] => {
      if (typeof value === 'string') return [key, value];
      if (typeof value === 'number' || typeof value === 'boolean') return [key, String(value)];
      throw wrongType(name, 'an object of texts');
    });
    return Object.fromEntries(entries);
  }

  #list(name: string, split: (text: string) => string[]): string[] | undefined {
    if (!this.has(name)) return undefined;
    const value = this.get(name);
    const entries = typeof value === 'string' ? split(value) : value;
    if (!Array.isArray(entries)) throw wrongType(name, 'a list');
    return entries
      .map((entry: unknown) => {
        if (typeof entry === 'string') return entry;
        if (typeof entry === 'number') return String(entry);
        throw wrongType(name, 'a list of texts');
      })
      .filter((entry) => entry !== '');
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrongType(name: string, wanted: string): Error {
  return invalid(`error converting input for field "${name}": expected ${wanted}`);
}

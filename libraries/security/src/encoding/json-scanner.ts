import { EncodingError } from './encoding-error.ts';
import type { ExactJsonObject, ExactJsonValue, JsonValue } from './strict-json.ts';

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const LONE_SURROGATE = /\p{Surrogate}/u;
const WORD = /true|false|null/y;
const WORDS: Readonly<Record<string, JsonValue>> = { true: true, false: false, null: null };

/** What a 64-bit integer may have, with its sign. Longer ones are refused, whatever is asked for. */
const MAX_INTEGER_CHARACTERS = 20;

/** Reads one JSON document; `parseStrictJson` and `parseExactJson` state the rules. */
export class JsonScanner {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #largeIntegers: 'refuse' | 'bigint';
  #position = 0;

  constructor(text: string, maxDepth: number, largeIntegers: 'refuse' | 'bigint') {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#largeIntegers = largeIntegers;
  }

  document(): ExactJsonValue {
    const value = this.#value(0);
    if (this.#position !== this.#text.length) throw this.#error('Something follows the JSON value');
    return value;
  }

  #value(depth: number): ExactJsonValue {
    this.#match(SPACE);
    const value = this.#bareValue(depth);
    this.#match(SPACE);
    return value;
  }

  #bareValue(depth: number): ExactJsonValue {
    const next = this.#text[this.#position];
    if (next === '{' || next === '[') {
      if (depth === this.#maxDepth) throw this.#error(`JSON is nested deeper than ${this.#maxDepth}`);
      return next === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    if (next === '"') return this.#string();
    const word = this.#match(WORD);
    if (word !== undefined) return WORDS[word] ?? null;
    return this.#number();
  }

  #object(depth: number): ExactJsonObject {
    const members: Record<string, ExactJsonValue> = Object.create(null);
    this.#position += 1;
    this.#match(SPACE);
    if (this.#take('}')) return members;
    do {
      this.#match(SPACE);
      const name = this.#string();
      if (name in members) throw this.#error('A JSON object has the same member twice');
      if (name === '__proto__') throw this.#error('The JSON member name __proto__ is refused');
      this.#match(SPACE);
      if (!this.#take(':')) throw this.#error('A colon is missing');
      members[name] = this.#value(depth);
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#error('A JSON object is not closed');
    return members;
  }

  #array(depth: number): ExactJsonValue[] {
    const values: ExactJsonValue[] = [];
    this.#position += 1;
    this.#match(SPACE);
    if (this.#take(']')) return values;
    do values.push(this.#value(depth));
    while (this.#take(','));
    if (!this.#take(']')) throw this.#error('A JSON array is not closed');
    return values;
  }

  /** Finds the closing quote; JSON.parse then judges the characters and escapes in between. */
  #string(): string {
    const start = this.#position;
    if (!this.#take('"')) throw this.#error('A JSON string is missing');
    while (this.#position < this.#text.length && this.#text[this.#position] !== '"') {
      this.#position += this.#text[this.#position] === '\\' ? 2 : 1;
    }
    if (!this.#take('"')) throw this.#error('A JSON string is not closed');
    const value = this.#decodeString(this.#text.slice(start, this.#position));
    if (LONE_SURROGATE.test(value)) throw this.#error('A JSON string holds a lone surrogate');
    return value;
  }

  #decodeString(literal: string): string {
    try {
      return JSON.parse(literal);
    } catch {
      throw this.#error('A JSON string is malformed');
    }
  }

  #number(): number | bigint {
    NUMBER.lastIndex = this.#position;
    const [literal, fraction, exponent] = NUMBER.exec(this.#text) ?? [];
    if (literal === undefined) throw this.#error('A JSON value is malformed');
    this.#position += literal.length;
    const value = Number(literal);
    const integer = fraction === undefined && exponent === undefined;
    if (this.#largeIntegers === 'bigint' && integer && !Number.isSafeInteger(value)) {
      if (literal.length <= MAX_INTEGER_CHARACTERS) return BigInt(literal);
    }
    const exact = !integer || Number.isSafeInteger(value);
    if (!Number.isFinite(value) || !exact) throw this.#error('A JSON number is too large to be held exactly');
    return value;
  }

  #take(character: string): boolean {
    if (this.#text[this.#position] !== character) return false;
    this.#position += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    this.#position += found?.length ?? 0;
    return found;
  }

  #error(message: string): EncodingError {
    return new EncodingError('JSON_INVALID', `${message} (at character ${this.#position})`);
  }
}

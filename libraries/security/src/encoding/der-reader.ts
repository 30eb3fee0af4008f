import { type DerElement, derError, readElement, TAG } from './der-element.ts';
import {
  decodeBitString,
  decodeBoolean,
  decodeInteger,
  decodeOid,
  decodeSmallInteger,
  decodeTime,
} from './der-values.ts';
import { EncodingError } from './encoding-error.ts';

/** No certificate, key or bundle of this library is larger. */
export const MAX_DER_BYTES = 1024 * 1024;

/**
 * A cursor over the elements of one DER container. Every method throws an `EncodingError` with code `DER_INVALID`
 * when the next element is not what it asks for. `what` names the element in that error.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  /** @throws EncodingError `INPUT_TOO_LARGE` over 1 MiB. */
  constructor(bytes: Uint8Array) {
    if (bytes.length > MAX_DER_BYTES) {
      throw new EncodingError('INPUT_TOO_LARGE', `DER input may be at most ${MAX_DER_BYTES} bytes`);
    }
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  read(what: string): DerElement {
    if (this.done) throw derError(`${what} is missing`);
    const element = readElement(this.#bytes, this.#offset);
    this.#offset = element.end;
    return element;
  }

  expect(tag: number, what: string): DerElement {
    const element = this.read(what);
    if (element.tag !== tag) throw derError(`${what} has DER tag ${element.tag} instead of ${tag}`);
    return element;
  }

  /** The next element if it has this tag, otherwise `undefined` without moving. */
  optional(tag: number): DerElement | undefined {
    if (this.done || this.#bytes[this.#offset] !== tag) return undefined;
    return this.read('An optional element');
  }

  /** A reader over the content of the next element. The caller calls `finish` on it. */
  enter(tag: number, what: string): DerReader {
    return new DerReader(this.expect(tag, what).content);
  }

  sequence(what: string): DerReader {
    return this.enter(TAG.sequence, what);
  }

  boolean(what: string): boolean {
    return decodeBoolean(this.expect(TAG.boolean, what).content);
  }

  /** The two's complement bytes of an INTEGER in their shortest form. */
  integer(what: string): Uint8Array {
    return decodeInteger(this.expect(TAG.integer, what).content);
  }

  /** An INTEGER from 0 to 2^31-1. */
  smallInteger(what: string): number {
    return decodeSmallInteger(this.expect(TAG.integer, what).content);
  }

  /** Dotted decimal. */
  oid(what: string): string {
    return decodeOid(this.expect(TAG.oid, what).content);
  }

  bitString(what: string): { readonly unusedBits: number; readonly bytes: Uint8Array } {
    return decodeBitString(this.expect(TAG.bitString, what).content);
  }

  octetString(what: string): Uint8Array {
    return this.expect(TAG.octetString, what).content;
  }

  /** A UTCTime or GeneralizedTime as RFC 5280, 4.1.2.5 profiles them; in epoch milliseconds. */
  time(what: string): number {
    return decodeTime(this.read(what));
  }

  /** Throws when something follows. */
  finish(what: string): void {
    if (!this.done) throw derError(`${what} is followed by ${this.#bytes.length - this.#offset} unexpected bytes`);
  }
}

/** The elements of concatenated DER, at most `limit` of them. */
export function splitDer(bytes: Uint8Array, limit: number): Uint8Array[] {
  const reader = new DerReader(bytes);
  const elements: Uint8Array[] = [];
  while (!reader.done) {
    if (elements.length === limit) throw new EncodingError('INPUT_TOO_LARGE', `More than ${limit} DER elements`);
    elements.push(reader.read('An element').raw);
  }
  return elements;
}

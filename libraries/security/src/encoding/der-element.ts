import { EncodingError } from './encoding-error.ts';

/** Identifier octets as they stand on the wire: class, constructed bit and number in one. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The identifier octet of `[number]`, primitive or constructed. */
export function contextTag(number: number, kind: 'primitive' | 'constructed'): number {
  return (kind === 'constructed' ? 0xa0 : 0x80) | number;
}

/** One element of a DER input. Views are made when they are asked for: most elements are only passed. */
export class DerElement {
  readonly tag: number;
  readonly #bytes: Uint8Array;
  readonly #offset: number;
  readonly #start: number;
  /** Where the next element of the same input starts. */
  readonly end: number;

  constructor(bytes: Uint8Array, tag: number, offset: number, start: number, end: number) {
    this.tag = tag;
    this.#bytes = bytes;
    this.#offset = offset;
    this.#start = start;
    this.end = end;
  }

  get content(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.end);
  }

  /** Identifier, length and content. */
  get raw(): Uint8Array {
    return this.#bytes.subarray(this.#offset, this.end);
  }
}

export function derError(message: string): EncodingError {
  return new EncodingError('DER_INVALID', message);
}

/**
 * Reads the element that starts at `offset`. Only DER is taken: definite lengths in their shortest form (X.690,
 * 10.1), and tag numbers below 31, which is all that X.509 and PKCS use.
 */
export function readElement(bytes: Uint8Array, offset: number): DerElement {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) throw derError('The DER input ends inside a header');
  if ((tag & 0x1f) === 0x1f) throw derError('DER tag numbers over 30 are not supported');
  let length = first;
  let start = offset + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0) throw derError('An indefinite length is not DER');
    if (count > 4) throw derError('A DER length of more than four bytes is refused');
    length = 0;
    for (let index = 0; index < count; index += 1) {
      const byte = bytes[start + index];
      if (byte === undefined) throw derError('The DER input ends inside a length');
      length = length * 256 + byte;
    }
    start += count;
    if (length < 0x80 || length < 256 ** (count - 1)) throw derError('A DER length must have its shortest form');
  }
  const end = start + length;
  if (end > bytes.length) throw derError('A DER element is longer than its container');
  return new DerElement(bytes, tag, offset, start, end);
}

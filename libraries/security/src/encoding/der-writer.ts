import { contextTag, TAG } from './der-element.ts';

/** Writes one DER element around the joined contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  return Buffer.concat([Uint8Array.of(tag), encodeLength(content.length), content]);
}

function encodeLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.of(0x80 | bytes.length, ...bytes);
}

export function derSequence(...elements: readonly Uint8Array[]): Uint8Array {
  return der(TAG.sequence, ...elements);
}

/** `[number]` around the elements. */
export function derExplicit(number: number, ...elements: readonly Uint8Array[]): Uint8Array {
  return der(contextTag(number, 'constructed'), ...elements);
}

/** `[number]` in place of a primitive tag. */
export function derImplicit(number: number, content: Uint8Array): Uint8Array {
  return der(contextTag(number, 'primitive'), content);
}

/** A non-negative INTEGER from its big-endian bytes. */
export function derUnsigned(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  const shortest = start === -1 ? Uint8Array.of(0) : bytes.subarray(start);
  const sign = (shortest[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array();
  return der(TAG.integer, sign, shortest);
}

/** An INTEGER from 0 to 255. */
export function derSmallInteger(value: number): Uint8Array {
  return derUnsigned(Uint8Array.of(value));
}

/** The default, FALSE, is left out by its callers. */
export function derTrue(): Uint8Array {
  return der(TAG.boolean, Uint8Array.of(0xff));
}

export function derOid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(TAG.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(encodeArc)));
}

function encodeArc(arc: number): number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
  return bytes;
}

export function derOctetString(content: Uint8Array): Uint8Array {
  return der(TAG.octetString, content);
}

export function derBitString(content: Uint8Array, unusedBits = 0): Uint8Array {
  return der(TAG.bitString, Uint8Array.of(unusedBits), content);
}

/** RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime after. Milliseconds are cut off. */
export function derTime(epochMs: number): Uint8Array {
  const digits = new Date(epochMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  const short = epochMs < Date.UTC(2050, 0);
  return der(short ? TAG.utcTime : TAG.generalizedTime, Buffer.from(short ? digits.slice(2) : digits));
}

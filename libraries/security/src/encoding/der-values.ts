import { type DerElement, derError, TAG } from './der-element.ts';

/** X.690, 11.1: only 0x00 and 0xff are DER. */
export function decodeBoolean(content: Uint8Array): boolean {
  if (content.length !== 1 || (content[0] !== 0x00 && content[0] !== 0xff))
    throw derError('A DER boolean is malformed');
  return content[0] === 0xff;
}

/** X.690, 8.3.2: the first nine bits are neither all ones nor all zeros. */
export function decodeInteger(content: Uint8Array): Uint8Array {
  const [first, second] = content;
  if (first === undefined) throw derError('A DER integer is empty');
  if (second !== undefined) {
    const padded = (first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80);
    if (padded) throw derError('A DER integer must have its shortest form');
  }
  return content;
}

export function decodeSmallInteger(content: Uint8Array): number {
  const bytes = decodeInteger(content);
  const first = bytes[0] ?? 0;
  if (first >= 0x80) throw derError('A DER integer is negative');
  if (bytes.length > 4) throw derError('A DER integer is too large');
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

const MAX_OID_BYTES = 64;

export function decodeOid(content: Uint8Array): string {
  if (content.length === 0 || content.length > MAX_OID_BYTES) throw derError('A DER object identifier is malformed');
  const arcs: number[] = [];
  let value = 0;
  let inside = false;
  for (const byte of content) {
    if (!inside && byte === 0x80) throw derError('A DER object identifier must have its shortest form');
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw derError('An arc of a DER object identifier is too large');
    inside = byte >= 0x80;
    if (inside) continue;
    if (arcs.length === 0) {
      const root = value < 40 ? 0 : value < 80 ? 1 : 2;
      arcs.push(root, value - root * 40);
    } else {
      arcs.push(value);
    }
    value = 0;
  }
  if (inside) throw derError('A DER object identifier ends inside an arc');
  return arcs.join('.');
}

/** X.690, 11.2.1: unused bits are zero. */
export function decodeBitString(content: Uint8Array): { unusedBits: number; bytes: Uint8Array } {
  const unusedBits = content[0];
  const bytes = content.subarray(1);
  if (unusedBits === undefined || unusedBits > 7 || (bytes.length === 0 && unusedBits > 0)) {
    throw derError('A DER bit string is malformed');
  }
  const last = bytes[bytes.length - 1] ?? 0;
  if ((last & ((1 << unusedBits) - 1)) !== 0) throw derError('The unused bits of a DER bit string must be zero');
  return { unusedBits, bytes };
}

/** 7-bit text; anything else is refused. */
export function decodeIa5(content: Uint8Array): string {
  if (content.some((byte) => byte > 0x7f)) throw derError('An IA5String holds a byte over 127');
  return Buffer.from(content).toString('latin1');
}

/** RFC 5280, 4.1.2.5: seconds present, zone `Z`, no fraction; GeneralizedTime only from 2050 on. */
export function decodeTime({ tag, content }: DerElement): number {
  const text = Buffer.from(content).toString('latin1');
  if (tag === TAG.utcTime && /^\d{12}Z$/.test(text)) {
    const short = Number(text.slice(0, 2));
    return epochMs(short < 50 ? 2000 + short : 1900 + short, text.slice(2));
  }
  if (tag === TAG.generalizedTime && /^\d{14}Z$/.test(text)) return epochMs(Number(text.slice(0, 4)), text.slice(4));
  throw derError('A DER time is malformed');
}

/** `rest` is MMDDHHMMSSZ. */
function epochMs(year: number, rest: string): number {
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = (rest.match(/\d\d/g) ?? []).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const real =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60;
  if (!real) throw derError('A DER time names no real moment');
  return date.getTime();
}

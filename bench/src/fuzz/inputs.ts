import fc from 'fast-check';

/** In bytes; larger than any limit of the parsers but the megabyte. */
const MAX_REPEATED = 100_000;

/** Bytes that mean something to one parser or the other. */
const fragment = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  fc
    .constantFrom(
      ...['"', '\\', '{', '}', '[', ']', ':', ',', '.', '/', '//', '..', '%2e', '\u0000', '\ufeff', 'é', '-', '1e999'],
      ...['"alg":"none"', '"kid":', '"__proto__":{}', '"use":"x509-svid"', '-----BEGIN CERTIFICATE-----', '=', '+'],
    )
    .map((text) => new Uint8Array(Buffer.from(text))),
  // Tags and lengths of DER: constructed, indefinite, four bytes long, negative when read with a sign.
  fc
    .constantFrom<readonly number[]>(
      [0x30, 0x80],
      [0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
      [0x02, 0x81, 0x01],
      [0xa3, 0x82],
    )
    .map((bytes) => Uint8Array.from(bytes)),
);

type Edit = (bytes: Uint8Array) => Uint8Array;

const at = fc.double({ min: 0, max: 1, noNaN: true });

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(
    ([where, by]): Edit =>
      (bytes) => {
        const copy = bytes.slice();
        const index = Math.floor(where * (copy.length - 1));
        if (copy.length > 0) copy[index] = (copy[index] ?? 0) ^ by;
        return copy;
      },
  ),
  at.map(
    (where): Edit =>
      (bytes) =>
        bytes.slice(0, Math.floor(where * bytes.length)),
  ),
  fc.tuple(at, fragment).map(
    ([where, piece]): Edit =>
      (bytes) =>
        insert(bytes, where, piece),
  ),
  fc.tuple(at, at, at).map(
    ([from, to, where]): Edit =>
      (bytes) => {
        const piece = bytes.slice(
          Math.floor(Math.min(from, to) * bytes.length),
          Math.floor(Math.max(from, to) * bytes.length),
        );
        return insert(bytes, where, piece);
      },
  ),
  fc.tuple(at, at).map(
    ([from, share]): Edit =>
      (bytes) => {
        const start = Math.floor(from * bytes.length);
        return Buffer.concat([bytes.slice(0, start), bytes.slice(start + Math.ceil(share * 8))]);
      },
  ),
);

function insert(bytes: Uint8Array, where: number, piece: Uint8Array): Uint8Array {
  const index = Math.floor(where * bytes.length);
  return Buffer.concat([bytes.slice(0, index), piece, bytes.slice(index)]);
}

/** Valid inputs with a few changes, besides noise and one fragment over and over. */
export function changed(...valid: readonly (Uint8Array | string)[]): fc.Arbitrary<Uint8Array> {
  const seeds = valid.map((seed) => (typeof seed === 'string' ? new Uint8Array(Buffer.from(seed)) : seed));
  const edited = fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 0, maxLength: 4 }))
    .map(([seed, edits]) => edits.reduce((bytes, change) => change(bytes), seed));
  const repeated = fc
    .tuple(fragment, fc.integer({ min: 1, max: MAX_REPEATED }), fc.constantFrom(...seeds))
    .map(([piece, length, seed]) => {
      const count = Math.floor(length / Math.max(1, piece.length));
      const middle = Math.floor(seed.length / 2);
      const body = Buffer.concat(Array.from({ length: count }, () => piece));
      return length % 2 === 0 ? body : Buffer.concat([seed.slice(0, middle), body, seed.slice(middle)]);
    });
  return fc.oneof(
    { arbitrary: edited, weight: 80 },
    { arbitrary: fc.uint8Array({ maxLength: 64 }), weight: 19 },
    { arbitrary: repeated, weight: 1 },
  );
}

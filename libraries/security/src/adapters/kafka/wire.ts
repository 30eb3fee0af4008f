/** Writes the types of the Kafka protocol; "compact" ones carry their length plus one as a varint (KIP-482). */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    const part = Buffer.allocUnsafe(1);
    part.writeInt8(value);
    return this.#add(part);
  }

  int16(value: number): this {
    const part = Buffer.allocUnsafe(2);
    part.writeInt16BE(value);
    return this.#add(part);
  }

  int32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    return this.#add(part);
  }

  varint(value: number): this {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
    return this.#add(Buffer.from([...bytes, rest]));
  }

  string(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    return this.int16(bytes.length).#add(bytes);
  }

  compactBytes(value: Buffer): this {
    return this.varint(value.length + 1).#add(value);
  }

  compactString(value: string | null): this {
    return value === null ? this.varint(0) : this.compactBytes(Buffer.from(value, 'utf8'));
  }

  compactArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.varint(items.length + 1);
    for (const item of items) write(item);
    return this;
  }

  /** None of our requests has a tagged field. */
  noTags(): this {
    return this.varint(0);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }
}

/** Reads the same types from a broker's answer. @throws RangeError where the answer ends too early */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#take(1).readInt8();
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  int64(): bigint {
    return this.#take(8).readBigInt64BE();
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#take(1).readUInt8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a varint of over five bytes');
  }

  string(): string {
    return this.#take(Math.max(0, this.int16())).toString('utf8');
  }

  array<T>(read: () => T): T[] {
    return this.#items(this.int32(), read);
  }

  compactBytes(): Buffer {
    return this.#take(Math.max(0, this.varint() - 1));
  }

  /** Null reads as the empty string: no answer we read gives the two a different meaning. */
  compactString(): string {
    return this.compactBytes().toString('utf8');
  }

  compactArray<T>(read: () => T): T[] {
    return this.#items(this.varint() - 1, read);
  }

  /** Tagged fields are additions of later versions; they are passed over. */
  skipTags(): void {
    for (let left = this.varint(); left > 0; left -= 1) {
      this.varint();
      this.#take(this.varint());
    }
  }

  #items<T>(count: number, read: () => T): T[] {
    const items: T[] = [];
    for (let index = 0; index < count; index += 1) items.push(read());
    return items;
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new RangeError('the answer ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

import { ClusterError } from '../cluster-error.ts';

const BLOCK = 512;

/** What is in a tar archive, as it comes: the name of a file, and its bytes in pieces. */
export type TarEvent =
  | { readonly kind: 'file'; readonly name: string; readonly size: number }
  | { readonly kind: 'bytes'; readonly bytes: Buffer };

/**
 * The regular files of a tar archive, read as a stream: a snapshot may be larger than memory. Names are those of the
 * archive, for looking up and never for writing.
 *
 * @throws ClusterError `snapshot_damaged` where it ends early or a header's sum is wrong
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEvent> {
  const blocks = new ByteReader(source);
  for (;;) {
    const header = await blocks.take(BLOCK);
    if (header === undefined) throw damaged('it ends without its last block');
    if (header.every((byte) => byte === 0)) return;
    const { name, size, isFile } = parseHeader(header);
    if (isFile) yield { kind: 'file', name, size };
    let left = size;
    while (left > 0) {
      const bytes = await blocks.takeUpTo(left);
      if (bytes === undefined) throw damaged(`it ends inside ${name}`);
      left -= bytes.length;
      if (isFile) yield { kind: 'bytes', bytes };
    }
    await blocks.take((BLOCK - (size % BLOCK)) % BLOCK);
  }
}

export function damaged(rule: string): ClusterError {
  return new ClusterError('snapshot_damaged', `Verifying the snapshot: ${rule}; it was not stored`, {
    retryable: true,
  });
}

function parseHeader(header: Buffer): { name: string; size: number; isFile: boolean } {
  const text = (from: number, length: number): string =>
    header
      .toString('latin1', from, from + length)
      .replace(/\0.*$/s, '')
      .trim();
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (Number.parseInt(text(148, 8), 8) !== sum) throw damaged('the sum of a header is wrong');
  const type = text(156, 1);
  return { name: text(0, 100), size: Number.parseInt(text(124, 12), 8) || 0, isFile: type === '' || type === '0' };
}

class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** That many bytes, or undefined at the end. */
  async take(count: number): Promise<Buffer | undefined> {
    while (this.#rest.length < count) {
      const next = await this.#source.next();
      if (next.done === true) return undefined;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
    return this.#cut(count);
  }

  /** What there is, up to that many bytes. */
  async takeUpTo(count: number): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return undefined;
      this.#rest = next.value;
    }
    return this.#cut(Math.min(count, this.#rest.length));
  }

  #cut(count: number): Buffer {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }
}

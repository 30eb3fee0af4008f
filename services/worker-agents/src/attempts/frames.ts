/** What travels between a worker and the launcher: a kind, a length of four bytes, and so many bytes. */
export const FRAME = { request: 1, workspace: 2, stdout: 3, stderr: 4, exit: 5, refused: 6 } as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

export const MAX_FRAME_BYTES = 256 * 1024;
const HEADER_BYTES = 5;
const KINDS = new Set<number>(Object.values(FRAME));

export function encodeFrame(kind: FrameKind, payload: Buffer | object): Buffer {
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  if (body.length > MAX_FRAME_BYTES) throw new RangeError(`A frame may hold ${MAX_FRAME_BYTES} bytes at most`);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
}

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

/** Cuts a byte stream into frames. Throws a `RangeError` for anything that is none; the stream is lost then. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    while (this.#rest.length >= HEADER_BYTES) {
      const kind = this.#rest.readUInt8(0);
      const length = this.#rest.readUInt32BE(1);
      if (!KINDS.has(kind)) throw new RangeError('A frame of an unknown kind');
      if (length > MAX_FRAME_BYTES) throw new RangeError(`A frame of more than ${MAX_FRAME_BYTES} bytes`);
      if (this.#rest.length < HEADER_BYTES + length) break;
      frames.push({ kind: kind as FrameKind, payload: this.#rest.subarray(HEADER_BYTES, HEADER_BYTES + length) });
      this.#rest = this.#rest.subarray(HEADER_BYTES + length);
    }
    return frames;
  }
}

import { decodeBase64 } from './base64.ts';
import { EncodingError } from './encoding-error.ts';

/** No PEM text of this library is longer, in characters. */
export const MAX_PEM_CHARACTERS = 2 * 1024 * 1024;

export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, ... */
  readonly label: string;
  readonly bytes: Uint8Array;
}

const BEGIN = /^-----BEGIN ([A-Z0-9](?:[A-Z0-9 ]{0,62}[A-Z0-9])?)-----$/;

/**
 * The blocks of a PEM text in order. Text between blocks is skipped (RFC 7468, section 2, allows it before a block);
 * headers inside a block, as encrypted keys have them, are refused.
 * @throws EncodingError `PEM_INVALID`, `INPUT_TOO_LARGE`
 */
export function parsePem(text: string): PemBlock[] {
  if (text.length > MAX_PEM_CHARACTERS) {
    throw new EncodingError('INPUT_TOO_LARGE', `PEM text may be at most ${MAX_PEM_CHARACTERS} characters`);
  }
  const blocks: PemBlock[] = [];
  let open: { label: string; lines: string[] } | undefined;
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trimEnd();
    const label = BEGIN.exec(trimmed)?.[1];
    if (open === undefined) {
      if (label !== undefined) open = { label, lines: [] };
      else if (trimmed.startsWith('-----')) throw new EncodingError('PEM_INVALID', 'A PEM boundary has no partner');
    } else if (trimmed === `-----END ${open.label}-----`) {
      blocks.push({ label: open.label, bytes: decodeBlock(open.lines) });
      open = undefined;
    } else {
      open.lines.push(trimmed);
    }
  }
  if (open !== undefined) throw new EncodingError('PEM_INVALID', `The PEM block ${open.label} has no end`);
  return blocks;
}

function decodeBlock(lines: readonly string[]): Uint8Array {
  try {
    const bytes = decodeBase64(lines.join(''));
    if (bytes.length > 0) return bytes;
  } catch (cause) {
    throw new EncodingError('PEM_INVALID', 'A PEM block is not base64', { cause });
  }
  throw new EncodingError('PEM_INVALID', 'A PEM block is empty');
}

/** One block, 64 characters a line, with a line end after it. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

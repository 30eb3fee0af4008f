import { EncodingError } from './encoding-error.ts';

/** Base64url without padding (RFC 7515, section 2). */
export function encodeBase64Url(bytes: Uint8Array | string): string {
  return Buffer.from(bytes as Uint8Array).toString('base64url');
}

/**
 * Decodes base64url without padding. Node's own decoder skips what it does not know; this one takes only the one
 * canonical text of the bytes, so that no two texts mean the same.
 * @throws EncodingError `BASE64_INVALID`
 */
export function decodeBase64Url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new EncodingError('BASE64_INVALID', 'The text is not base64url');
  return bytes;
}

/**
 * Decodes padded base64 (RFC 4648, section 4) in its one canonical form.
 * @throws EncodingError `BASE64_INVALID`
 */
export function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new EncodingError('BASE64_INVALID', 'The text is not base64');
  return bytes;
}

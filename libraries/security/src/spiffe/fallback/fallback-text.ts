import { open } from 'node:fs/promises';
import { messageOf, type Secret } from '../../common/index.ts';
import { SpiffeError } from '../spiffe-error.ts';

/** Text from a file that is read again whenever it changes, or text that stays what it is. */
export type FallbackText = { readonly file: string } | { readonly text: Secret<string> };

/** A longer file is refused, in bytes. */
const MAX_FILE_BYTES = 2 * 1024 * 1024;

/** @throws SpiffeError `FALLBACK_INVALID` (retryable) */
export async function readFallbackText(source: FallbackText): Promise<string> {
  if ('text' in source) return source.text.reveal();
  const { file } = source;
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > MAX_FILE_BYTES) throw new RangeError(`it is longer than ${MAX_FILE_BYTES} bytes`);
    return await handle.readFile('utf8');
  } catch (cause) {
    const message = `The file ${file} cannot be read: ${messageOf(cause)}`;
    throw new SpiffeError('FALLBACK_INVALID', message, { retryable: true, cause });
  }
}

import { EncodingError } from './encoding-error.ts';
import { JsonScanner } from './json-scanner.ts';
import { parsePlainJson } from './plain-json.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** `bigint` only where a number could not hold the integer. */
export type ExactJsonValue = null | boolean | number | bigint | string | readonly ExactJsonValue[] | ExactJsonObject;
export interface ExactJsonObject {
  readonly [name: string]: ExactJsonValue;
}

export interface StrictJsonOptions {
  /** In bytes, default 1 MiB. */
  readonly maxBytes?: number;
  /** How many objects and arrays may stand inside each other, default 32. */
  readonly maxDepth?: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads RFC 8259 JSON with the doubts taken out: duplicate member names, invalid UTF-8, lone surrogates, integers that
 * a number cannot hold exactly and the member name `__proto__` are refused. Objects have no prototype, so that a
 * member that is not there reads as `undefined`.
 * @throws EncodingError `JSON_INVALID`, `INPUT_TOO_LARGE`
 */
export function parseStrictJson(input: Uint8Array | string, options: StrictJsonOptions = {}): JsonValue {
  return scan(input, options, 'refuse') as JsonValue;
}

/**
 * The same rules, except that an integer of up to 20 characters that a number cannot hold exactly becomes a `bigint`.
 * @throws EncodingError `JSON_INVALID`, `INPUT_TOO_LARGE`
 */
export function parseExactJson(input: Uint8Array | string, options: StrictJsonOptions = {}): ExactJsonValue {
  return scan(input, options, 'bigint');
}

function scan(
  input: Uint8Array | string,
  options: StrictJsonOptions,
  largeIntegers: 'refuse' | 'bigint',
): ExactJsonValue {
  const { maxBytes = 1024 * 1024, maxDepth = 32 } = options;
  const bytes = typeof input === 'string' ? Buffer.byteLength(input) : input.length;
  if (bytes > maxBytes) throw new EncodingError('INPUT_TOO_LARGE', `JSON input may be at most ${maxBytes} bytes`);
  const text = typeof input === 'string' ? input : decodeUtf8(input);
  return parsePlainJson(text, maxDepth) ?? new JsonScanner(text, maxDepth, largeIntegers).document();
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new EncodingError('JSON_INVALID', 'JSON input is not UTF-8');
  }
}

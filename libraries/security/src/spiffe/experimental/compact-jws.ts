import { decodeBase64Url, type JsonObject, type JsonValue, parseStrictJson } from '../../encoding/index.ts';
import { isJwtAlgorithm } from '../svid/jwt/algorithms.ts';

/** A compact JWS whose form, algorithm and type are right. Nothing of it is verified. */
export interface CompactJws {
  readonly algorithm: string;
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** The first two parts, as they were signed. */
  readonly signed: string;
  readonly signature: Uint8Array;
}

const MAX_CHARACTERS = 16_384;
const MAX_DEPTH = 16;

/** @throws Error about the form, without the text itself */
export function readCompactJws(text: string, type: string): CompactJws {
  if (text.length > MAX_CHARACTERS) throw new RangeError(`has more than ${MAX_CHARACTERS} characters`);
  const [header, payload, signature, extra] = text.split('.');
  if (header === undefined || payload === undefined || !signature || extra !== undefined) {
    throw new TypeError('does not have three parts');
  }
  const members = readObject(header);
  if (!isJwtAlgorithm(members.alg)) throw new TypeError('has an algorithm that is none of the nine allowed');
  // RFC 7515, 4.1.11: no extension is understood here; headers that are not critical are ignored.
  if (members.crit !== undefined) throw new TypeError('has critical headers');
  if (members.typ !== type) throw new TypeError(`is not of type ${type}`);
  return {
    algorithm: members.alg,
    header: members,
    claims: readObject(payload),
    signed: `${header}.${payload}`,
    signature: decodeBase64Url(signature),
  };
}

function readObject(part: string): JsonObject {
  const value = parseStrictJson(decodeBase64Url(part), { maxBytes: MAX_CHARACTERS, maxDepth: MAX_DEPTH });
  if (!isObject(value)) throw new TypeError('has a part that is no object');
  return value;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 7519, 2: a NumericDate; undefined when the claim is absent. @throws TypeError */
export function readTimeMs(claims: JsonObject, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || value < 0 || value > Number.MAX_SAFE_INTEGER / 1000) {
    throw new TypeError(`has an ${name} that is no time`);
  }
  return value * 1000;
}

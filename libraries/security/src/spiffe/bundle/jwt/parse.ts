import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { decodeBase64Url, type JsonObject, type JsonValue, parseStrictJson } from '../../../encoding/index.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import type { TrustDomain } from '../../trust-domain.ts';
import type { JwtBundle, JwtKey } from './jwt-bundle.ts';

const MAX_KEYS = 256;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/** The public members a key of each type needs. Nothing else of a JWK reaches the key. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'] };
const CURVES = new Set(['P-256', 'P-384', 'P-521']);

/**
 * Reads a JWK set as the Workload API sends it. An entry with a `use` other than `jwt-svid` is not ours and an entry of
 * an unknown type or curve cannot be used: both are left out. An entry without `use` is taken, since SPIRE's agent
 * removes it.
 * @throws SpiffeError `JWT_BUNDLE_INVALID`
 */
export function parseJwtBundle(trustDomain: TrustDomain, jwks: Uint8Array | string): JwtBundle {
  try {
    const set = parseStrictJson(jwks);
    const entries = isObject(set) ? set.keys : undefined;
    if (!Array.isArray(entries)) throw new TypeError('The member keys is not an array');
    if (entries.length > MAX_KEYS) throw new RangeError(`There are more than ${MAX_KEYS} keys`);
    const keys = entries.map(readKey).filter((key) => key !== undefined);
    return { trustDomain, keys };
  } catch (cause) {
    throw new SpiffeError('JWT_BUNDLE_INVALID', `The JWT bundle of ${trustDomain} is malformed`, { cause });
  }
}

function readKey(jwk: JsonValue): JwtKey | undefined {
  if (!isObject(jwk)) throw new TypeError('A key is not an object');
  if (jwk.use !== undefined && jwk.use !== 'jwt-svid') return undefined;
  const names = typeof jwk.kty === 'string' ? PARAMETERS[jwk.kty] : undefined;
  if (names === undefined || (jwk.kty === 'EC' && !CURVES.has(String(jwk.crv)))) return undefined;
  if ('d' in jwk) throw new TypeError('A private key is in the bundle');
  return {
    ...(jwk.kid === undefined ? {} : { kid: text(jwk, 'kid') }),
    ...(jwk.alg === undefined ? {} : { algorithm: text(jwk, 'alg') }),
    publicKey: importKey(jwk, names),
  };
}

function importKey(jwk: JsonObject, names: readonly string[]): KeyObject {
  const parameters: JsonWebKey = { kty: text(jwk, 'kty') };
  for (const name of names) {
    const value = text(jwk, name);
    if (name !== 'crv') decodeBase64Url(value);
    parameters[name] = value;
  }
  const key = createPublicKey({ key: parameters, format: 'jwk' });
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)) {
    throw new RangeError(`An RSA key has ${bits} bits`);
  }
  return key;
}

function text(jwk: JsonObject, name: string): string {
  const value = jwk[name];
  if (typeof value !== 'string' || value === '') throw new TypeError(`The member ${name} of a key is not a text`);
  return value;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

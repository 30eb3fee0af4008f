import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { decodeBase64Url } from '../../encoding/index.ts';

/** One element of a JWK set. */
export type JwkObject = Readonly<Record<string, unknown>>;

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/** The public members a key of each type needs. Nothing else of a JWK reaches the key. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'] };
const CURVES = new Set(['P-256', 'P-384', 'P-521']);

export function isJwkObject(value: unknown): value is JwkObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the type and the curve are among those that sign SVIDs; of any other type the element is ignored. */
export function isKnownJwk(jwk: JwkObject): boolean {
  return parametersOf(jwk) !== undefined && (jwk.kty !== 'EC' || CURVES.has(String(jwk.crv)));
}

/** @throws TypeError, RangeError for a key that is malformed, private or of a wrong size */
export function importJwk(jwk: JwkObject): KeyObject {
  if ('d' in jwk) throw new TypeError('A private key is in the bundle');
  const parameters: JsonWebKey = { kty: jwkText(jwk, 'kty') };
  for (const name of parametersOf(jwk) ?? []) {
    const value = jwkText(jwk, name);
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

export function jwkText(jwk: JwkObject, name: string): string {
  const value = jwk[name];
  if (typeof value !== 'string' || value === '') throw new TypeError(`The member ${name} of a key is not a text`);
  return value;
}

function parametersOf({ kty }: JwkObject): readonly string[] | undefined {
  return typeof kty === 'string' && Object.hasOwn(PARAMETERS, kty) ? PARAMETERS[kty] : undefined;
}

import { type JsonValue, parseStrictJson } from '../../../encoding/index.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import type { TrustDomain } from '../../trust-domain.ts';
import { importJwk, isJwkObject, isKnownJwk, jwkText } from '../jwk.ts';
import type { JwtBundle, JwtKey } from './jwt-bundle.ts';

const MAX_KEYS = 256;

/**
 * Reads a JWK set as the Workload API sends it. An entry with a `use` other than `jwt-svid` is not ours and an entry of
 * an unknown type or curve cannot be used: both are left out. An entry without `use` is taken, since SPIRE's agent
 * removes it.
 * @throws SpiffeError `JWT_BUNDLE_INVALID`
 */
export function parseJwtBundle(trustDomain: TrustDomain, jwks: Uint8Array | string): JwtBundle {
  try {
    const set = parseStrictJson(jwks);
    const entries = isJwkObject(set) ? set.keys : undefined;
    if (!Array.isArray(entries)) throw new TypeError('The member keys is not an array');
    if (entries.length > MAX_KEYS) throw new RangeError(`There are more than ${MAX_KEYS} keys`);
    const keys = entries.map(readKey).filter((key) => key !== undefined);
    return { trustDomain, keys };
  } catch (cause) {
    throw new SpiffeError('JWT_BUNDLE_INVALID', `The JWT bundle of ${trustDomain} is malformed`, { cause });
  }
}

function readKey(jwk: JsonValue): JwtKey | undefined {
  if (!isJwkObject(jwk)) throw new TypeError('A key is not an object');
  if (jwk.use !== undefined && jwk.use !== 'jwt-svid') return undefined;
  if (!isKnownJwk(jwk)) return undefined;
  return {
    ...(jwk.kid === undefined ? {} : { kid: jwkText(jwk, 'kid') }),
    ...(jwk.alg === undefined ? {} : { algorithm: jwkText(jwk, 'alg') }),
    publicKey: importJwk(jwk),
  };
}

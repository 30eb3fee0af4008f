import type { KeyObject } from 'node:crypto';
import { parseStrictJson } from '../../encoding/index.ts';
import { importJwk, isJwkObject, isKnownJwk, jwkText } from '../bundle/jwk.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { TrustDomain } from '../trust-domain.ts';

/** A public key that signs WIT-SVIDs. */
export interface WitKey {
  readonly kid: string;
  /** The only algorithm the key may be used with, where the bundle says so. */
  readonly algorithm?: string;
  readonly publicKey: KeyObject;
}

/** The WIT authorities of one trust domain. */
export interface WitBundle {
  readonly trustDomain: TrustDomain;
  /** Empty means that no WIT-SVID of this trust domain is accepted. */
  readonly keys: readonly WitKey[];
}

export interface WitBundleSource {
  getWitBundle(trustDomain: TrustDomain): WitBundle | undefined;
}

const MAX_KEYS = 256;

/**
 * Reads a JWK set. Only keys of use `wit-svid` are taken (WIT-SVID, 6); every key of the set has a kid of its own, or
 * none of them can be told apart.
 * @throws SpiffeError `WIT_BUNDLE_INVALID`
 */
export function parseWitBundle(trustDomain: TrustDomain, jwks: Uint8Array | string): WitBundle {
  try {
    const set: unknown = parseStrictJson(jwks);
    const entries: unknown = isJwkObject(set) ? set.keys : undefined;
    if (!Array.isArray(entries)) throw new TypeError('The member keys is not an array');
    if (entries.length > MAX_KEYS) throw new RangeError(`There are more than ${MAX_KEYS} keys`);
    const kids = new Set<string>();
    const keys = entries.map((entry) => readKey(entry, kids)).filter((key) => key !== undefined);
    return { trustDomain, keys };
  } catch (cause) {
    throw new SpiffeError('WIT_BUNDLE_INVALID', `The WIT bundle of ${trustDomain} is malformed`, { cause });
  }
}

function readKey(jwk: unknown, kids: Set<string>): WitKey | undefined {
  if (!isJwkObject(jwk)) throw new TypeError('A key is not an object');
  const kid = jwkText(jwk, 'kid');
  if (kids.has(kid)) throw new TypeError('Two keys have the same kid');
  kids.add(kid);
  if (jwk.use !== 'wit-svid' || !isKnownJwk(jwk)) return undefined;
  return { kid, ...(jwk.alg === undefined ? {} : { algorithm: jwkText(jwk, 'alg') }), publicKey: importJwk(jwk) };
}

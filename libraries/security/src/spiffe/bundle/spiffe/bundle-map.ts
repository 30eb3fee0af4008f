import { messageOf } from '../../../common/index.ts';
import { parseExactJson } from '../../../encoding/index.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { isJwkObject } from '../jwk.ts';
import { encodeSpiffeBundle } from './encode.ts';
import { readSpiffeBundle } from './parse.ts';
import type { SpiffeBundle } from './spiffe-bundle.ts';

/** A longer document is refused unread, in bytes. */
const MAX_MAP_BYTES = 16 * 1024 * 1024;
const MAX_TRUST_DOMAINS = 1024;

/**
 * Reads the bundles of several trust domains from one document (Trust Domain and Bundle, 5.1.1). It is taken whole or
 * not at all; a trust domain that is named twice refuses it. How often the map is to be read again is not said by the
 * refresh hints of its bundles.
 * @returns the bundles by the name of their trust domain
 * @throws SpiffeError `BUNDLE_MAP_INVALID`
 */
export function parseBundleMap(document: Uint8Array | string): ReadonlyMap<string, SpiffeBundle> {
  try {
    const map = parseExactJson(document, { maxBytes: MAX_MAP_BYTES });
    const domains = isJwkObject(map) ? map.trust_domains : undefined;
    if (!isJwkObject(domains)) throw new TypeError('The parameter trust_domains is not an object');
    const entries = Object.entries(domains);
    if (entries.length > MAX_TRUST_DOMAINS) throw new RangeError(`There are more than ${MAX_TRUST_DOMAINS} bundles`);
    return new Map(entries.map(([name, bundle]) => [name, readSpiffeBundle(TrustDomain.parse(name), bundle)]));
  } catch (cause) {
    throw new SpiffeError('BUNDLE_MAP_INVALID', `The bundle map is malformed: ${messageOf(cause)}`, { cause });
  }
}

/** @throws TypeError for two bundles of one trust domain, and as `encodeSpiffeBundle` */
export function encodeBundleMap(bundles: Iterable<SpiffeBundle>): string {
  const members = new Map<string, string>();
  for (const bundle of bundles) {
    const { name } = bundle.trustDomain;
    if (members.has(name)) throw new TypeError(`bundles holds the trust domain ${name} twice`);
    members.set(name, `${JSON.stringify(name)}:${encodeSpiffeBundle(bundle)}`);
  }
  return `{"trust_domains":{${[...members.values()].join(',')}}}`;
}

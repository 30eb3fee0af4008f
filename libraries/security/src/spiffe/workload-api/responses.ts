import type { JwtBundle } from '../bundle/jwt/jwt-bundle.ts';
import { parseJwtBundle } from '../bundle/jwt/parse.ts';
import { parseX509Bundle, type X509Bundle } from '../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { SpiffeId } from '../spiffe-id.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import { parseJwtSvidInsecure } from '../svid/jwt/parse.ts';
import { parseX509Svid } from '../svid/x509/parse.ts';
import type { X509Svid } from '../svid/x509/x509-svid.ts';
import type { TrustDomain } from '../trust-domain.ts';
import type {
  JWTBundlesResponse,
  JWTSVIDResponse,
  X509BundlesResponse,
  X509SVIDResponse,
} from './gen/spiffe/workload.ts';

/** The whole state that one message of FetchX509SVID carries: nothing of an earlier message remains (W-03). */
export interface X509Context {
  /** In the agent's order; the first is the default identity (W-19). */
  readonly svids: readonly [X509Svid, ...X509Svid[]];
  /** By trust domain name, own and federated. */
  readonly bundles: ReadonlyMap<string, X509Bundle>;
}

const MAX_SVIDS = 64;
const MAX_BUNDLES = 256;

/** Bundles are keyed by the trust domain's ID, `spiffe://<name>`. */
function trustDomainOf(key: string): TrustDomain {
  const id = SpiffeId.parse(key);
  if (id.path !== '') throw discarded(`names a bundle by ${key}, which is not a trust domain`);
  return id.trustDomain;
}

function discarded(rule: string): SpiffeError {
  return new SpiffeError('WORKLOAD_API_INVALID_RESPONSE', `The Workload API's message ${rule}`, { retryable: true });
}

/** Anything wrong in a message discards all of it (W-06); the caller keeps the state it had. */
function whole<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof SpiffeError && cause.code === 'WORKLOAD_API_INVALID_RESPONSE') throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SpiffeError('WORKLOAD_API_INVALID_RESPONSE', `The Workload API's message is discarded: ${reason}`, {
      cause,
      retryable: true,
    });
  }
}

export function readX509Context(response: X509SVIDResponse): X509Context {
  return whole(() => {
    const bundles = readX509BundleMap(response.federatedBundles);
    const hints = new Set<string>();
    const svids: X509Svid[] = [];
    if (response.svids.length > MAX_SVIDS) throw discarded(`holds more than ${MAX_SVIDS} SVIDs`);
    for (const entry of response.svids) {
      const svid = parseX509Svid({
        certificates: entry.x509Svid,
        privateKey: entry.x509SvidKey,
        ...(entry.hint === '' ? {} : { hint: entry.hint }),
      });
      if (svid.id.toString() !== entry.spiffeId) throw discarded('names another SPIFFE ID than its certificate');
      if (entry.bundle.length === 0) throw discarded('holds an SVID without its bundle');
      const { trustDomain } = svid.id;
      bundles.set(trustDomain.name, parseX509Bundle(trustDomain, entry.bundle));
      // Of SVIDs with the same hint only the first counts (W-10).
      if (entry.hint !== '' && hints.has(entry.hint)) continue;
      hints.add(entry.hint);
      svids.push(svid);
    }
    const [first, ...rest] = svids;
    if (first === undefined) throw discarded('holds no SVID');
    return { svids: [first, ...rest], bundles };
  });
}

function readX509BundleMap(entries: Readonly<Record<string, Uint8Array>>): Map<string, X509Bundle> {
  const bundles = new Map<string, X509Bundle>();
  const keys = Object.entries(entries);
  if (keys.length > MAX_BUNDLES) throw discarded(`holds more than ${MAX_BUNDLES} bundles`);
  for (const [key, authorities] of keys) {
    const trustDomain = trustDomainOf(key);
    bundles.set(trustDomain.name, parseX509Bundle(trustDomain, authorities));
  }
  return bundles;
}

export function readX509Bundles(response: X509BundlesResponse): ReadonlyMap<string, X509Bundle> {
  return whole(() => {
    const bundles = readX509BundleMap(response.bundles);
    if (bundles.size === 0) throw discarded('holds no bundle');
    return bundles;
  });
}

export function readJwtBundles(response: JWTBundlesResponse): ReadonlyMap<string, JwtBundle> {
  return whole(() => {
    const bundles = new Map<string, JwtBundle>();
    const keys = Object.entries(response.bundles);
    if (keys.length > MAX_BUNDLES) throw discarded(`holds more than ${MAX_BUNDLES} bundles`);
    for (const [key, jwks] of keys) {
      const trustDomain = trustDomainOf(key);
      bundles.set(trustDomain.name, parseJwtBundle(trustDomain, jwks));
    }
    if (bundles.size === 0) throw discarded('holds no bundle');
    return bundles;
  });
}

/** In the agent's order; the first is of the default identity (W-19). */
export function readJwtSvids(response: JWTSVIDResponse, audience: readonly string[]): readonly [JwtSvid, ...JwtSvid[]] {
  return whole(() => {
    if (response.svids.length > MAX_SVIDS) throw discarded(`holds more than ${MAX_SVIDS} SVIDs`);
    const hints = new Set<string>();
    const svids: JwtSvid[] = [];
    for (const { svid, spiffeId, hint } of response.svids) {
      const parsed = parseJwtSvidInsecure(svid, audience, { hint });
      if (parsed.id.toString() !== spiffeId) throw discarded('names another SPIFFE ID than its token');
      if (hint !== '' && hints.has(hint)) continue;
      hints.add(hint);
      svids.push(parsed);
    }
    const [first, ...rest] = svids;
    if (first === undefined) throw discarded('holds no SVID');
    return [first, ...rest];
  });
}

import type { JwtBundle } from '../bundle/jwt/jwt-bundle.ts';
import { parseJwtBundle } from '../bundle/jwt/parse.ts';
import { parseX509Bundle, type X509Bundle } from '../bundle/x509/x509-bundle.ts';
import { parseRevocationList } from '../certificate/revocation-list.ts';
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
  /** DER certificate revocation lists of any issuers; mostly none (W-13). */
  readonly revocationLists: readonly Uint8Array[];
}

const MAX_SVIDS = 64;
const MAX_BUNDLES = 256;
const MAX_REVOCATION_LISTS = 64;
/** Workload API, 8: in bytes. */
const MAX_HINT_BYTES = 1024;

/** Bundles are keyed by the trust domain's ID, `spiffe://<name>`. */
function trustDomainOf(key: string): TrustDomain {
  const id = SpiffeId.parse(key);
  if (id.path !== '') throw discarded(`names a bundle by ${key}, which is not a trust domain`);
  return id.trustDomain;
}

export function discarded(rule: string): SpiffeError {
  return new SpiffeError('WORKLOAD_API_INVALID_RESPONSE', `The Workload API's message ${rule}`, { retryable: true });
}

/** Anything wrong in a message discards all of it (W-06); the caller keeps the state it had. */
export function whole<T>(parse: () => T): T {
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

/** The entries of a message, before any of them is read. */
export function counted<Entry extends { readonly hint: string }>(entries: readonly Entry[]): readonly Entry[] {
  if (entries.length > MAX_SVIDS) throw discarded(`holds more than ${MAX_SVIDS} SVIDs`);
  if (entries.some(({ hint }) => Buffer.byteLength(hint) > MAX_HINT_BYTES)) {
    throw discarded(`holds a hint of more than ${MAX_HINT_BYTES} bytes`);
  }
  return entries;
}

/** Of SVIDs with the same hint only the first counts (W-10); those without one all do. The order is kept (W-19). */
export function firstOfEachHint<Svid extends { readonly hint?: string }>(
  svids: readonly Svid[],
): readonly [Svid, ...Svid[]] {
  const hints = new Set<string>();
  const [first, ...rest] = svids.filter(({ hint }) => {
    if (hint === undefined) return true;
    const isNew = !hints.has(hint);
    hints.add(hint);
    return isNew;
  });
  if (first === undefined) throw discarded('holds no SVID');
  return [first, ...rest];
}

/** Bundles by trust domain name. */
export function readBundles<Entry, Bundle>(
  entries: Readonly<Record<string, Entry>>,
  parse: (trustDomain: TrustDomain, entry: Entry) => Bundle,
): Map<string, Bundle> {
  const keys = Object.entries(entries);
  if (keys.length > MAX_BUNDLES) throw discarded(`holds more than ${MAX_BUNDLES} bundles`);
  return new Map(
    keys.map(([key, entry]) => {
      const trustDomain = trustDomainOf(key);
      return [trustDomain.name, parse(trustDomain, entry)];
    }),
  );
}

function readRevocationLists(lists: readonly Uint8Array[]): readonly Uint8Array[] {
  if (lists.length > MAX_REVOCATION_LISTS) {
    throw discarded(`holds more than ${MAX_REVOCATION_LISTS} revocation lists`);
  }
  for (const list of lists) parseRevocationList(list);
  return lists;
}

export function readX509Context(response: X509SVIDResponse): X509Context {
  return whole(() => {
    const bundles = readBundles(response.federatedBundles, parseX509Bundle);
    const svids: X509Svid[] = [];
    for (const entry of counted(response.svids)) {
      const svid = parseX509Svid({
        certificates: entry.x509Svid,
        privateKey: entry.x509SvidKey,
        ...(entry.hint === '' ? {} : { hint: entry.hint }),
      });
      if (svid.id.toString() !== entry.spiffeId) throw discarded('names another SPIFFE ID than its certificate');
      if (entry.bundle.length === 0) throw discarded('holds an SVID without its bundle');
      const { trustDomain } = svid.id;
      bundles.set(trustDomain.name, parseX509Bundle(trustDomain, entry.bundle));
      svids.push(svid);
    }
    return { svids: firstOfEachHint(svids), bundles, revocationLists: readRevocationLists(response.crl) };
  });
}

export function readX509Bundles(response: X509BundlesResponse): ReadonlyMap<string, X509Bundle> {
  return whole(() => {
    const bundles = readBundles(response.bundles, parseX509Bundle);
    readRevocationLists(response.crl);
    if (bundles.size === 0) throw discarded('holds no bundle');
    return bundles;
  });
}

export function readJwtBundles(response: JWTBundlesResponse): ReadonlyMap<string, JwtBundle> {
  return whole(() => {
    const bundles = readBundles(response.bundles, parseJwtBundle);
    if (bundles.size === 0) throw discarded('holds no bundle');
    return bundles;
  });
}

/** In the agent's order; the first is of the default identity (W-19). */
export function readJwtSvids(response: JWTSVIDResponse, audience: readonly string[]): readonly [JwtSvid, ...JwtSvid[]] {
  return whole(() => {
    const svids: JwtSvid[] = [];
    for (const { svid, spiffeId, hint } of counted(response.svids)) {
      const parsed = parseJwtSvidInsecure(svid, audience, { hint });
      if (parsed.id.toString() !== spiffeId) throw discarded('names another SPIFFE ID than its token');
      svids.push(parsed);
    }
    return firstOfEachHint(svids);
  });
}

import { systemClock } from '../../../common/index.ts';
import { parsedAuthorities, type X509BundleSource } from '../../bundle/x509/x509-bundle.ts';
import { type Certificate, parseCertificate } from '../../certificate/certificate.ts';
import { parseIssuer, rememberIssuers } from '../../certificate/known-issuers.ts';
import { buildPath } from '../../certificate/path.ts';
import { parseRevocationList, revocationStatus } from '../../certificate/revocation-list.ts';
import { assertIssuer, assertLeaf } from '../../certificate/roles.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import type { SpiffeId } from '../../spiffe-id.ts';

export interface VerifiedX509Svid {
  readonly id: SpiffeId;
  /** DER, from the leaf to the anchor. */
  readonly chain: readonly Uint8Array[];
  /** When the leaf ends. */
  readonly expiresAtMs: number;
}

export interface X509VerifyOptions {
  /** The moment to judge at, default now. */
  readonly nowMs?: number;
  /** Default: revocation is not judged, since SVIDs are short-lived. */
  readonly revocation?: RevocationPolicy;
}

/** How certificate revocation lists are used: for the leaf and for every intermediate, each by a list of its own issuer. */
export interface RevocationPolicy {
  /** DER lists of any issuers, such as those of `X509Source`. */
  readonly lists: readonly Uint8Array[];
  /** What becomes of a certificate that no current list of its issuer covers. Default `refuse`. */
  readonly whenUnknown?: 'refuse' | 'accept';
}

/** More certificates in one chain are refused unread. */
export const MAX_CHAIN_LENGTH = 16;

/**
 * Verifies a peer's chain (DER, leaf first) against the bundle of the trust domain that its leaf names, and no other.
 * @throws SpiffeError `CERTIFICATE_MALFORMED`, `SPIFFE_ID_INVALID`, `TRUST_DOMAIN_INVALID`, `X509_SVID_INVALID`,
 * `BUNDLE_NOT_FOUND`, `X509_BUNDLE_INVALID`, `X509_SVID_NOT_YET_VALID`, `X509_SVID_EXPIRED`, `X509_SVID_UNTRUSTED`,
 * `X509_SVID_REVOKED`, `X509_SVID_STATUS_UNKNOWN`, `REVOCATION_LIST_MALFORMED`
 */
export function verifyX509Svid(
  chain: readonly Uint8Array[],
  bundles: X509BundleSource,
  options: X509VerifyOptions = {},
): VerifiedX509Svid {
  const { nowMs = systemClock.now() } = options;
  if (chain.length > MAX_CHAIN_LENGTH) {
    throw new SpiffeError('X509_SVID_INVALID', `The chain has more than ${MAX_CHAIN_LENGTH} certificates`);
  }
  const [leaf, ...intermediates] = chain.map((der, index) => (index === 0 ? parseCertificate(der) : parseIssuer(der)));
  if (leaf === undefined) throw new SpiffeError('X509_SVID_INVALID', 'The chain is empty');
  const id = assertLeaf(leaf);
  assertValidity(leaf, id, nowMs);
  const bundle = bundles.getX509Bundle(id.trustDomain);
  if (bundle === undefined || !bundle.trustDomain.equals(id.trustDomain)) {
    throw new SpiffeError('BUNDLE_NOT_FOUND', `There is no X.509 bundle of the trust domain ${id.trustDomain}`);
  }
  const answer = buildPath({
    leaf,
    intermediates,
    anchors: parsedAuthorities(bundle),
    nowMs,
    assertIssuer: (issuer, kind) => assertIssuer(issuer, id.trustDomain, kind),
  });
  if (answer.path === undefined) {
    const why = answer.reasons[0] ?? 'no issuer fits';
    throw new SpiffeError('X509_SVID_UNTRUSTED', `No path leads from ${id} to an authority of its bundle: ${why}`);
  }
  rememberIssuers(answer.path.slice(1, -1));
  if (options.revocation !== undefined) assertNotRevoked(id, answer.path, options.revocation, nowMs);
  return { id, chain: answer.path.map(({ der }) => der), expiresAtMs: leaf.notAfterMs };
}

function assertNotRevoked(id: SpiffeId, path: readonly Certificate[], policy: RevocationPolicy, nowMs: number): void {
  const lists = policy.lists.map(parseRevocationList);
  for (const [index, certificate] of path.slice(0, -1).entries()) {
    const issuer = path[index + 1];
    const status = issuer === undefined ? 'unknown' : revocationStatus(certificate, issuer, lists, nowMs);
    if (status === 'revoked') {
      throw new SpiffeError('X509_SVID_REVOKED', `A certificate in the chain of ${id} is revoked`);
    }
    if (status === 'unknown' && policy.whenUnknown !== 'accept') {
      const message = `No current revocation list covers a certificate in the chain of ${id}`;
      throw new SpiffeError('X509_SVID_STATUS_UNKNOWN', message);
    }
  }
}

function assertValidity(leaf: Certificate, id: SpiffeId, nowMs: number): void {
  if (nowMs < leaf.notBeforeMs) {
    const from = new Date(leaf.notBeforeMs).toISOString();
    throw new SpiffeError('X509_SVID_NOT_YET_VALID', `The X509-SVID of ${id} is valid only from ${from}`);
  }
  if (nowMs > leaf.notAfterMs) {
    const end = new Date(leaf.notAfterMs).toISOString();
    throw new SpiffeError('X509_SVID_EXPIRED', `The X509-SVID of ${id} ended at ${end}`);
  }
}

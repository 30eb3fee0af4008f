import { splitDer } from '../../../encoding/index.ts';
import { type Certificate, parseCertificate } from '../../certificate/certificate.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import type { TrustDomain } from '../../trust-domain.ts';

/** The X.509 authorities of one trust domain. Bundles of different trust domains are never joined. */
export interface X509Bundle {
  readonly trustDomain: TrustDomain;
  /** DER certificates. Empty means that no X509-SVID of this trust domain is accepted. */
  readonly authorities: readonly Uint8Array[];
}

export interface X509BundleSource {
  getX509Bundle(trustDomain: TrustDomain): X509Bundle | undefined;
}

const MAX_AUTHORITIES = 256;

/**
 * Reads concatenated DER, as the Workload API sends bundles.
 * @throws SpiffeError `X509_BUNDLE_INVALID`
 */
export function parseX509Bundle(trustDomain: TrustDomain, authorities: Uint8Array): X509Bundle {
  const bundle = { trustDomain, authorities: split(trustDomain, authorities) };
  parsedAuthorities(bundle);
  return bundle;
}

const parsed = new WeakMap<X509Bundle, readonly Certificate[]>();

/**
 * The authorities, read once a bundle object: a bundle is never changed in place.
 * @throws SpiffeError `X509_BUNDLE_INVALID`
 */
export function parsedAuthorities(bundle: X509Bundle): readonly Certificate[] {
  const existing = parsed.get(bundle);
  if (existing !== undefined) return existing;
  try {
    const certificates = bundle.authorities.map(parseCertificate);
    parsed.set(bundle, certificates);
    return certificates;
  } catch (cause) {
    throw invalid(bundle.trustDomain, cause);
  }
}

function split(trustDomain: TrustDomain, authorities: Uint8Array): readonly Uint8Array[] {
  try {
    return splitDer(authorities, MAX_AUTHORITIES);
  } catch (cause) {
    throw invalid(trustDomain, cause);
  }
}

function invalid(trustDomain: TrustDomain, cause: unknown): SpiffeError {
  const message = `The X.509 bundle of ${trustDomain} holds something that is not a certificate`;
  return new SpiffeError('X509_BUNDLE_INVALID', message, { cause });
}

import { splitDer } from '../../../encoding/index.ts';
import { parseCertificate } from '../../certificate/certificate.ts';
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
  try {
    const certificates = splitDer(authorities, MAX_AUTHORITIES);
    for (const der of certificates) parseCertificate(der);
    return { trustDomain, authorities: certificates };
  } catch (cause) {
    const message = `The X.509 bundle of ${trustDomain} holds something that is not a certificate`;
    throw new SpiffeError('X509_BUNDLE_INVALID', message, { cause });
  }
}

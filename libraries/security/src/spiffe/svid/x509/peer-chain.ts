import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** One more than a chain may have, so that a longer one is refused instead of cut. */
const MAX_CERTIFICATES_READ = 17;

/**
 * DER, leaf first, as far as each certificate was issued by the next; empty without a certificate. Not
 * `getPeerX509Certificate`: reading it takes the chain away from whoever reads it next, which then sees an issuer as
 * the leaf.
 */
export function peerChain(socket: TLSSocket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true) ?? undefined;
  while (certificate?.raw !== undefined && chain.length < MAX_CERTIFICATES_READ) {
    chain.push(certificate.raw);
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    certificate = issuer?.raw.equals(certificate.raw) ? undefined : issuer;
  }
  return chain;
}

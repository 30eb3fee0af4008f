import { SpiffeError } from '../spiffe-error.ts';
import { SpiffeId } from '../spiffe-id.ts';
import type { TrustDomain } from '../trust-domain.ts';
import type { Certificate } from './certificate.ts';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/**
 * The ID of a certificate that authenticates a workload, after the rules of X509-SVID, sections 2 to 5.
 * @throws SpiffeError `X509_SVID_INVALID`, `SPIFFE_ID_INVALID`, `TRUST_DOMAIN_INVALID`
 */
export function assertLeaf(leaf: Certificate): SpiffeId {
  // X509-SVID, 2: exactly one URI name.
  const [uri, second] = leaf.uriNames;
  if (uri === undefined) throw invalid('has no URI subject alternative name');
  if (second !== undefined) throw invalid('has more than one URI subject alternative name');
  const id = SpiffeId.parse(uri);
  // X509-SVID, 5.2: a leaf has a path. Without this an authority's own certificate could stand for a workload.
  if (id.path === '') throw invalid('names a trust domain instead of a workload');
  if (leaf.basicConstraints?.ca) throw invalid('belongs to an authority');
  if (leaf.keyUsage === undefined || !leaf.keyUsage.critical) throw invalid('has no critical key usage');
  if (leaf.keyUsage.keyCertSign || leaf.keyUsage.cRLSign) throw invalid('may sign certificates or revocation lists');
  if (!leaf.keyUsage.digitalSignature) throw invalid('may not make digital signatures');
  // X509-SVID, 4.4: when the extension is there it names both.
  const purposes = leaf.extendedKeyUsage;
  if (purposes !== undefined && !(purposes.includes(SERVER_AUTH) && purposes.includes(CLIENT_AUTH))) {
    throw invalid('is not for both server and client authentication');
  }
  // RFC 5280, 4.2.1.10: only an authority has name constraints.
  if (leaf.nameConstraints !== undefined) throw invalid('has name constraints without being an authority');
  assertProcessed(leaf);
  return id;
}

/**
 * X509-SVID, 3.2, 4.1 and 4.3 for a signing certificate. A key usage is required below the anchor; an upstream root may
 * lack it, as RFC 5280, 6.1.4 (n) allows.
 * @throws SpiffeError `X509_SVID_INVALID`
 */
export function assertIssuer(issuer: Certificate, trustDomain: TrustDomain, kind: 'anchor' | 'intermediate'): void {
  if (!issuer.basicConstraints?.ca) throw invalid('was issued by a certificate that is no authority');
  const mayBeAbsent = kind === 'anchor' && issuer.keyUsage === undefined;
  if (!mayBeAbsent && !issuer.keyUsage?.keyCertSign)
    throw invalid('was issued by a key that may not sign certificates');
  for (const uri of issuer.uriNames.filter((name) => name.startsWith('spiffe:'))) {
    const id = SpiffeId.parse(uri);
    if (id.path !== '' || !id.memberOf(trustDomain)) throw invalid('was issued under a wrong SPIFFE ID');
  }
  assertProcessed(issuer);
}

/** RFC 5280, 4.2: a critical extension that is not processed refuses the certificate. */
function assertProcessed(certificate: Certificate): void {
  const [oid] = certificate.unknownCritical;
  if (oid !== undefined) throw invalid(`has the unknown critical extension ${oid} in its chain`);
}

function invalid(rule: string): SpiffeError {
  return new SpiffeError('X509_SVID_INVALID', `The X509-SVID ${rule}`);
}

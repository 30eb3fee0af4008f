import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type DistinguishedName, distinguishedName, generalNames, type SubjectNames } from './certificate-names.ts';
import { TAG } from './der-element.ts';
import { der, derBitString, derExplicit, derOctetString, derOid, derSequence, derSmallInteger } from './der-writer.ts';
import { encodePem } from './pem.ts';

export interface CertificateRequestFields extends SubjectNames, DistinguishedName {
  /** RSA or EC on P-256 or P-384; signs the request and does not leave the process. */
  readonly privateKey: KeyObject;
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';
const NULL = der(TAG.null);

/** The signature algorithm (RFC 5758, RFC 4055) and its hash. */
function algorithmOf(key: KeyObject): { hash: string; identifier: Uint8Array } {
  if (key.asymmetricKeyType === 'rsa') {
    return { hash: 'sha256', identifier: derSequence(derOid('1.2.840.113549.1.1.11'), NULL) };
  }
  const curve = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : undefined;
  if (curve === 'prime256v1') return { hash: 'sha256', identifier: derSequence(derOid('1.2.840.10045.4.3.2')) };
  if (curve === 'secp384r1') return { hash: 'sha384', identifier: derSequence(derOid('1.2.840.10045.4.3.3')) };
  throw new TypeError('privateKey: must be RSA, or EC on P-256 or P-384');
}

/**
 * A certificate request (RFC 2986) as PEM, signed with the key it is for.
 * @throws TypeError for a key of another kind, and for an address that is none
 */
export function createCertificateRequest(fields: CertificateRequestFields): string {
  const { privateKey } = fields;
  const { hash, identifier } = algorithmOf(privateKey);
  const names = derSequence(derOid(SUBJECT_ALT_NAME), derOctetString(generalNames(fields)));
  const extensions = derSequence(derOid(EXTENSION_REQUEST), der(TAG.set, derSequence(names)));
  const { uris = [], dnsNames = [], ipAddresses = [] } = fields;
  const info = derSequence(
    derSmallInteger(0),
    distinguishedName(fields),
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    derExplicit(0, ...(uris.length + dnsNames.length + ipAddresses.length > 0 ? [extensions] : [])),
  );
  return encodePem('CERTIFICATE REQUEST', derSequence(info, identifier, derBitString(sign(hash, info, privateKey))));
}

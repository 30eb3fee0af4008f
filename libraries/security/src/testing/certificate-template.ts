import { type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  der,
  derBitString,
  derExplicit,
  derOid,
  derSequence,
  derSmallInteger,
  derTime,
  derUnsigned,
} from '../encoding/der-writer.ts';
import { TAG } from '../encoding/index.ts';

/** Everything that stands in a certificate, as it will be signed. */
export interface CertificateTemplate {
  /** Big-endian; default 16 random bytes. */
  readonly serialNumber?: Uint8Array;
  /** DER names. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  /** DER extensions in order. */
  readonly extensions: readonly Uint8Array[];
}

/** Signs a certificate (RFC 5280, 4.1) with an EC or RSA key and gives back its DER. */
export function signCertificate(template: CertificateTemplate, issuerKey: KeyObject): Uint8Array {
  const { algorithm, hash } = signatureAlgorithm(issuerKey);
  const extensions = template.extensions.length === 0 ? [] : [derExplicit(3, derSequence(...template.extensions))];
  const tbs = derSequence(
    derExplicit(0, derSmallInteger(2)),
    derUnsigned(template.serialNumber ?? randomSerialNumber()),
    algorithm,
    template.issuer,
    derSequence(derTime(template.notBeforeMs), derTime(template.notAfterMs)),
    template.subject,
    template.publicKey.export({ type: 'spki', format: 'der' }),
    ...extensions,
  );
  return derSequence(tbs, algorithm, derBitString(sign(hash, tbs, issuerKey)));
}

/** Positive and never zero (RFC 5280, 4.1.2.2). */
export function randomSerialNumber(): Uint8Array {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

function signatureAlgorithm(key: KeyObject): { algorithm: Uint8Array; hash: string } {
  if (key.asymmetricKeyType === 'rsa') {
    return { algorithm: derSequence(derOid('1.2.840.113549.1.1.11'), der(TAG.null)), hash: 'sha256' };
  }
  if (key.asymmetricKeyType !== 'ec') throw new TypeError('The issuer key must be an EC or an RSA key');
  const p384 = key.asymmetricKeyDetails?.namedCurve === 'secp384r1';
  return {
    algorithm: derSequence(derOid(p384 ? '1.2.840.10045.4.3.3' : '1.2.840.10045.4.3.2')),
    hash: p384 ? 'sha384' : 'sha256',
  };
}

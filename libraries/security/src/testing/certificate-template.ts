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

export type SigningHash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/**
 * Signs a certificate (RFC 5280, 4.1) with an EC, RSA or Ed25519 key and gives back its DER.
 * @param options `hash` default: the one that goes with the curve, SHA-256 for RSA. Ed25519 has none of its own.
 */
export function signCertificate(
  template: CertificateTemplate,
  issuerKey: KeyObject,
  options: { readonly hash?: SigningHash } = {},
): Uint8Array {
  const { algorithm, hash } = signatureAlgorithm(issuerKey, options.hash);
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

const HASH_OF_CURVE: Readonly<Record<string, SigningHash>> = { secp384r1: 'sha384', secp521r1: 'sha512' };
const RSA_OID = { sha1: '5', sha256: '11', sha384: '12', sha512: '13' } as const;
const ECDSA_OID = { sha1: '1', sha256: '3.2', sha384: '3.3', sha512: '3.4' } as const;

function signatureAlgorithm(key: KeyObject, asked?: SigningHash): { algorithm: Uint8Array; hash: SigningHash | null } {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const hash = asked ?? HASH_OF_CURVE[details?.namedCurve ?? ''] ?? 'sha256';
  if (type === 'rsa') {
    return { algorithm: derSequence(derOid(`1.2.840.113549.1.1.${RSA_OID[hash]}`), der(TAG.null)), hash };
  }
  if (type === 'ec') return { algorithm: derSequence(derOid(`1.2.840.10045.4.${ECDSA_OID[hash]}`)), hash };
  if (type === 'ed25519') return { algorithm: derSequence(derOid('1.3.101.112')), hash: null };
  throw new TypeError('The issuer key must be an EC, an RSA or an Ed25519 key');
}

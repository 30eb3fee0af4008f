import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { DerReader } from '../../encoding/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { Certificate } from './certificate.ts';

interface Algorithm {
  readonly keyType: 'rsa' | 'ec' | 'ed25519';
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
}

/** What may sign a certificate. SHA-1 and older are left out on purpose. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  '1.2.840.113549.1.1.11': { keyType: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { keyType: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { keyType: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { keyType: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { keyType: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { keyType: 'ec', hash: 'sha512' },
  '1.3.101.112': { keyType: 'ed25519', hash: null },
};
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

const publicKeys = new WeakMap<Certificate, KeyObject>();

/** @throws SpiffeError `CERTIFICATE_MALFORMED` */
export function certificatePublicKey(certificate: Certificate): KeyObject {
  const existing = publicKeys.get(certificate);
  if (existing !== undefined) return existing;
  try {
    const key = createPublicKey({ key: Buffer.from(certificate.publicKeyInfo), format: 'der', type: 'spki' });
    publicKeys.set(certificate, key);
    return key;
  } catch (cause) {
    throw new SpiffeError('CERTIFICATE_MALFORMED', 'The certificate holds no usable public key', { cause });
  }
}

/** What an issuer signs: certificates and revocation lists. */
export interface SignedStructure {
  /** The signed part. */
  readonly tbs: Uint8Array;
  /** The DER of the algorithm that signed it. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
}

/** Signatures of authorities that were found good, by issuer. A leaf is read anew each time: keeping it is of no use. */
const goodSignatures = new WeakMap<Certificate, WeakSet<SignedStructure>>();

/** Whether the key of `issuer` made the signature. */
export function isSignedBy(signed: SignedStructure | Certificate, issuer: Certificate): boolean {
  if (!('basicConstraints' in signed) || !signed.basicConstraints?.ca) return checkSignature(signed, issuer);
  const signatures = goodSignatures.get(issuer) ?? new WeakSet();
  if (signatures.has(signed)) return true;
  const good = checkSignature(signed, issuer);
  if (good) goodSignatures.set(issuer, signatures.add(signed));
  return good;
}

function checkSignature(signed: SignedStructure, issuer: Certificate): boolean {
  const oid = new DerReader(signed.signatureAlgorithm).sequence('signatureAlgorithm').oid('algorithm');
  const algorithm = ALGORITHMS[oid];
  if (algorithm === undefined) return false;
  const key = certificatePublicKey(issuer);
  if (key.asymmetricKeyType !== algorithm.keyType) return false;
  // Asked of RSA keys only, since reading the details of another costs as much as a signature.
  const bits = algorithm.keyType === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : undefined;
  if (bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)) return false;
  return verify(algorithm.hash, signed.tbs, key, signed.signature);
}

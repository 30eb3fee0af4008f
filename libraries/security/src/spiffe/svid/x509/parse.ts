import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { encodePem, parsePem, splitDer } from '../../../encoding/index.ts';
import { type Certificate, parseCertificate } from '../../certificate/certificate.ts';
import { assertLeaf } from '../../certificate/roles.ts';
import { certificatePublicKey } from '../../certificate/signature.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { MAX_CHAIN_LENGTH } from './verify.ts';
import type { X509Svid } from './x509-svid.ts';

export interface X509SvidParts {
  /** Concatenated DER, leaf first. */
  readonly certificates: Uint8Array;
  /** PKCS#8 DER, not encrypted. */
  readonly privateKey: Uint8Array;
  readonly hint?: string;
}

/**
 * Reads one's own X509-SVID as the Workload API hands it out. The leaf must be a well-formed X509-SVID and the key its
 * own; whether it chains to a bundle and is still valid is not judged here.
 * @throws SpiffeError `CERTIFICATE_MALFORMED`, `X509_SVID_INVALID`, `X509_SVID_KEY_MISMATCH`, `SPIFFE_ID_INVALID`
 */
export function parseX509Svid({ certificates, privateKey, hint }: X509SvidParts): X509Svid {
  return assemble(split(certificates), readKey(privateKey), hint);
}

/**
 * The same from PEM: certificates leaf first, and one `PRIVATE KEY` block. Other labels are refused.
 * @throws SpiffeError as `parseX509Svid`; EncodingError `PEM_INVALID`
 */
export function parseX509SvidPem(certificatesPem: string, privateKeyPem: string): X509Svid {
  const chain = parsePem(certificatesPem);
  if (chain.some(({ label }) => label !== 'CERTIFICATE')) throw invalid('has a PEM block that is no certificate');
  const [key, second] = parsePem(privateKeyPem);
  if (key?.label !== 'PRIVATE KEY' || second !== undefined) throw invalid('needs exactly one PRIVATE KEY block');
  return assemble(
    chain.map(({ bytes }) => bytes),
    readKey(key.bytes),
    undefined,
  );
}

function assemble(certificates: readonly Uint8Array[], privateKey: KeyObject, hint: string | undefined): X509Svid {
  const [leaf] = certificates.map(parseCertificate);
  if (leaf === undefined) throw invalid('has no certificate');
  if (certificates.length > MAX_CHAIN_LENGTH) throw invalid(`has more than ${MAX_CHAIN_LENGTH} certificates`);
  const id = assertLeaf(leaf);
  assertKeyPair(leaf, privateKey);
  return {
    id,
    certificates,
    privateKey,
    issuedAtMs: leaf.notBeforeMs,
    expiresAtMs: leaf.notAfterMs,
    ...(hint === undefined || hint === '' ? {} : { hint }),
    certificateChainPem: certificates.map((der) => encodePem('CERTIFICATE', der)).join(''),
    privateKeyPem: () => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function split(certificates: Uint8Array): Uint8Array[] {
  try {
    return splitDer(certificates, MAX_CHAIN_LENGTH);
  } catch (cause) {
    throw new SpiffeError('CERTIFICATE_MALFORMED', 'The X509-SVID is not a list of DER certificates', { cause });
  }
}

/** OpenSSL's error is left out: nothing about a private key travels. */
function readKey(der: Uint8Array): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  } catch {
    throw invalid('has a private key that is not PKCS#8');
  }
}

function assertKeyPair(leaf: Certificate, privateKey: KeyObject): void {
  if (createPublicKey(privateKey).equals(certificatePublicKey(leaf))) return;
  throw new SpiffeError('X509_SVID_KEY_MISMATCH', 'The private key does not belong to the leaf of the X509-SVID');
}

function invalid(rule: string): SpiffeError {
  return new SpiffeError('X509_SVID_INVALID', `The X509-SVID ${rule}`);
}

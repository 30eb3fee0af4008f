import { contextTag, DerReader, TAG } from '../../encoding/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { type CertificateExtensions, parseExtensions } from './extensions.ts';

/** The parts of an X.509 certificate that path validation needs. */
export interface Certificate extends CertificateExtensions {
  readonly der: Uint8Array;
  /** Hexadecimal. */
  readonly serialNumber: string;
  /** The signed part. */
  readonly tbs: Uint8Array;
  /** The DER of the algorithm that signed it. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
  /** DER names; equal names have equal bytes. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKeyInfo: Uint8Array;
}

/** A longer certificate is refused. */
const MAX_CERTIFICATE_BYTES = 64 * 1024;

/**
 * Reads one DER certificate (RFC 5280, 4.1) with nothing after it. Signatures and validity are not judged here.
 * @throws SpiffeError `CERTIFICATE_MALFORMED`
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    throw new SpiffeError('CERTIFICATE_MALFORMED', `The certificate is longer than ${MAX_CERTIFICATE_BYTES} bytes`);
  }
  try {
    return readCertificate(der);
  } catch (cause) {
    if (cause instanceof SpiffeError) throw cause;
    throw new SpiffeError('CERTIFICATE_MALFORMED', 'The certificate is not valid DER', { cause });
  }
}

function readCertificate(der: Uint8Array): Certificate {
  const outside = new DerReader(der);
  const whole = outside.sequence('The certificate');
  outside.finish('The certificate');
  const signed = whole.expect(TAG.sequence, 'TBSCertificate');
  const signatureAlgorithm = whole.expect(TAG.sequence, 'signatureAlgorithm').raw;
  const signature = whole.bitString('signatureValue');
  whole.finish('The signature');

  const tbs = new DerReader(signed.content);
  const version = tbs.enter(contextTag(0, 'constructed'), 'version');
  if (version.smallInteger('version') !== 2) throw malformed('is not X.509 version 3');
  version.finish('version');
  const serialNumber = Buffer.from(tbs.integer('serialNumber')).toString('hex');
  const inner = tbs.expect(TAG.sequence, 'signature').raw;
  // RFC 5280, 4.1.1.2: the signed and the unsigned field are the same.
  if (Buffer.compare(inner, signatureAlgorithm) !== 0) throw malformed('names two signature algorithms');
  const issuer = tbs.expect(TAG.sequence, 'issuer').raw;
  const validity = tbs.sequence('validity');
  const notBeforeMs = validity.time('notBefore');
  const notAfterMs = validity.time('notAfter');
  validity.finish('validity');
  const subject = tbs.expect(TAG.sequence, 'subject').raw;
  const publicKeyInfo = tbs.expect(TAG.sequence, 'subjectPublicKeyInfo').raw;
  tbs.optional(contextTag(1, 'primitive'));
  tbs.optional(contextTag(2, 'primitive'));
  const extensions = tbs.done ? undefined : tbs.enter(contextTag(3, 'constructed'), 'extensions');
  tbs.finish('TBSCertificate');

  if (signature.unusedBits !== 0) throw malformed('has a signature that is not whole bytes');
  return {
    der,
    serialNumber,
    tbs: signed.raw,
    signatureAlgorithm,
    signature: signature.bytes,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    publicKeyInfo,
    ...parseExtensions(extensions),
  };
}

function malformed(rule: string): SpiffeError {
  return new SpiffeError('CERTIFICATE_MALFORMED', `The certificate ${rule}`);
}

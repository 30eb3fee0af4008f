import { BoundedMap } from '../../common/index.ts';
import { type Certificate, parseCertificate } from './certificate.ts';

/** An authority that issues for many workloads is a few certificates, shown again with every connection. */
const known = new BoundedMap<string, Certificate>(256);
/** In bytes; none in use is larger, and a larger one is only read anew each time. */
const MAX_KNOWN_BYTES = 8 * 1024;

/** Reads a certificate, or finds the one with these very bytes that led to an anchor before. */
export function parseIssuer(der: Uint8Array): Certificate {
  // A copy, since what is kept must not change when the owner of these bytes changes them.
  return known.get(keyOf(der)) ?? parseCertificate(Uint8Array.from(der));
}

/**
 * Keeps intermediates of a path that was verified, so that strangers cannot fill the memory. What is kept is the reading
 * and its public key; every rule is applied to it anew.
 * @param intermediates From `parseIssuer`.
 */
export function rememberIssuers(intermediates: readonly Certificate[]): void {
  for (const intermediate of intermediates) {
    const { der } = intermediate;
    const key = keyOf(der);
    if (der.length <= MAX_KNOWN_BYTES && known.get(key) === undefined) known.set(key, intermediate);
  }
}

/** The bytes themselves: equal keys are equal certificates. */
function keyOf(der: Uint8Array): string {
  return Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('latin1');
}

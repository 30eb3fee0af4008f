import { createHash, X509Certificate } from 'node:crypto';
import type { Clock } from '@neural-hive/security/common';
import { CertificateAuthority, type CertificateAuthorityState } from '@neural-hive/security/testing';

export type AuthorityKind = 'x509' | 'jwt';

/** `tainted`: nothing that it signed is to be used any more, and it may be revoked. */
export type AuthorityStatus = 'prepared' | 'active' | 'old' | 'tainted';

/** One key of the trust domain that signs SVIDs, at its place in its life. Never changed in place. */
export interface AuthoritySlot {
  readonly id: string;
  readonly status: AuthorityStatus;
  /** Of an X.509 authority the certificate counts, of a JWT authority the JWT key. */
  readonly signer: CertificateAuthority;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** No SVID that it signed lives longer, in milliseconds. */
  readonly longestLifeMs: number;
  /** When it became old. */
  readonly stoppedAtMs?: number;
}

export interface SavedSlot extends Omit<AuthoritySlot, 'signer'> {
  readonly signer: CertificateAuthorityState;
}

export interface FreshOptions {
  readonly trustDomain: string;
  readonly ttlSeconds: number;
  readonly longestLifeMs: number;
  readonly clock: Clock;
}

export function freshSlot(kind: AuthorityKind, options: FreshOptions): AuthoritySlot {
  const { trustDomain, ttlSeconds, clock, longestLifeMs } = options;
  const signer = CertificateAuthority.create(trustDomain, { ttlSeconds, clock });
  return { ...slotOf(kind, signer, longestLifeMs), status: 'prepared', createdAtMs: clock.now() };
}

/** The active slot of an authority that was made before there were slots. */
export function slotOf(kind: AuthorityKind, signer: CertificateAuthority, longestLifeMs: number): AuthoritySlot {
  const certificate = new X509Certificate(signer.certificatePem);
  return {
    id: kind === 'x509' ? fingerprint(certificate.raw) : keyId(signer),
    status: 'active',
    signer,
    createdAtMs: Date.parse(certificate.validFrom),
    expiresAtMs: Date.parse(certificate.validTo),
    longestLifeMs,
  };
}

export function exportSlot(slot: AuthoritySlot): SavedSlot {
  return { ...slot, signer: slot.signer.export() };
}

export function importSlot(saved: SavedSlot, clock: Clock): AuthoritySlot {
  return { ...saved, signer: CertificateAuthority.import(saved.signer, { clock }) };
}

/** As long as a subject key identifier, by which SPIRE names its authorities. */
function fingerprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex').slice(0, 40);
}

function keyId(signer: CertificateAuthority): string {
  const [key] = signer.jwtBundle().keys;
  if (key?.kid === undefined) throw new TypeError('signer must hold a JWT key with a kid');
  return key.kid;
}

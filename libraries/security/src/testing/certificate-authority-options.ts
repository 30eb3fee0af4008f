import type { KeyObject } from 'node:crypto';
import type { Clock } from '../common/index.ts';
import type { SubjectNames } from '../encoding/certificate-names.ts';
import type { CertificateTemplate } from './certificate-template.ts';
import type { JwtSignerAlgorithm, JwtSignerState } from './jwt-signer.ts';
import type { KeyType } from './key-type.ts';

export interface CertificateAuthorityOptions {
  /** Key of the authority, default `ec-p256`. */
  readonly keyType?: KeyType;
  /** Life of the authority's own certificate in seconds, default ten years. */
  readonly ttlSeconds?: number;
  /** Default `<trust domain> authority`. */
  readonly commonName?: string;
  /** Algorithm of JWT-SVIDs, default `ES256`. */
  readonly jwtAlgorithm?: JwtSignerAlgorithm;
  readonly clock?: Clock;
}

interface Lifetime {
  readonly ttlSeconds: number;
  /** Default ten seconds ago, so that a peer whose clock is a little behind accepts the certificate at once. */
  readonly notBeforeMs?: number;
}

export interface X509SvidRequest extends Lifetime {
  /** Any text: tests also issue wrong IDs. */
  readonly id: string;
  readonly dnsNames?: readonly string[];
  /** Default `ec-p256`. */
  readonly keyType?: KeyType;
  /** Replaces parts of the certificate, for tests of what verifiers refuse. */
  readonly template?: Partial<CertificateTemplate>;
}

export interface TlsCertificateRequest extends SubjectNames, Lifetime {
  /** Default the first DNS name. */
  readonly commonName?: string;
  /** Default both. */
  readonly usages?: readonly ('serverAuth' | 'clientAuth')[];
  /** Default `ec-p256`. */
  readonly keyType?: KeyType;
}

export interface PublicKeyRequest extends Omit<TlsCertificateRequest, 'keyType'> {
  readonly publicKey: KeyObject;
}

export interface IntermediateRequest extends Lifetime {
  readonly commonName: string;
  /** How many further authorities may stand below; default 0. */
  readonly pathLength?: number;
  readonly keyType?: KeyType;
  readonly template?: Partial<CertificateTemplate>;
}

export interface JwtSvidRequest {
  /** Any text: tests also issue wrong IDs. */
  readonly id: string;
  readonly audience: string | readonly string[];
  readonly ttlSeconds: number;
  readonly issuer?: string;
  /** Default now. */
  readonly issuedAtMs?: number;
  /** Adds to the claims or replaces them; `undefined` leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Adds to the header or replaces its members; `undefined` leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>;
}

export interface SignedCertificate {
  /** DER, leaf first, without the root. */
  readonly certificates: readonly Uint8Array[];
  /** The same as PEM. */
  readonly certificateChainPem: string;
  /** Lower-case hexadecimal. */
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface IssuedCertificate extends SignedCertificate {
  readonly privateKey: KeyObject;
}

/** Everything a `CertificateAuthority` is, as JSON, with private keys in the clear: seal it before it is stored. */
export interface CertificateAuthorityState {
  readonly trustDomain: string;
  readonly privateKeyPem: string;
  /** From this authority's own certificate up to its root. */
  readonly chainPem: string;
  /** The newest first; it signs. */
  readonly jwtKeys: readonly JwtSignerState[];
}

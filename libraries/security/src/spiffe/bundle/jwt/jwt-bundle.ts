import type { KeyObject } from 'node:crypto';
import type { TrustDomain } from '../../trust-domain.ts';

/** A public key that signs JWT-SVIDs. */
export interface JwtKey {
  /** A key without one serves only tokens without one. */
  readonly kid?: string;
  /** The only algorithm the key may be used with, where the bundle says so. */
  readonly algorithm?: string;
  readonly publicKey: KeyObject;
}

/** The JWT authorities of one trust domain. Bundles of different trust domains are never joined. */
export interface JwtBundle {
  readonly trustDomain: TrustDomain;
  /** Empty means that no JWT-SVID of this trust domain is accepted. */
  readonly keys: readonly JwtKey[];
}

export interface JwtBundleSource {
  getJwtBundle(trustDomain: TrustDomain): JwtBundle | undefined;
}

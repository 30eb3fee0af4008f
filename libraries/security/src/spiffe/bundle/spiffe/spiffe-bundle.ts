import type { TrustDomain } from '../../trust-domain.ts';
import type { JwtBundle } from '../jwt/jwt-bundle.ts';
import type { X509Bundle } from '../x509/x509-bundle.ts';

/** Everything that verifies the SVIDs of one trust domain, as trust domains hand it to each other. Never changed in place. */
export interface SpiffeBundle {
  /** Said by whoever fetched or configured the bundle: the document does not hold it. */
  readonly trustDomain: TrustDomain;
  /** Grows with every change; 0 to 2^64-1. Undefined when the publisher gives none. */
  readonly sequence: bigint | undefined;
  /** How often the publisher would like to be asked, in seconds. */
  readonly refreshHintSeconds: number | undefined;
  readonly x509: X509Bundle;
  readonly jwt: JwtBundle;
  /** Why elements of `keys` were left out, in their order; for logs. */
  readonly ignored: readonly string[];
}

/** Orders two bundles of one trust domain (Federation, 4.2); undefined when one has no sequence number. */
export function compareSequence(a: SpiffeBundle, b: SpiffeBundle): -1 | 0 | 1 | undefined {
  if (a.sequence === undefined || b.sequence === undefined) return undefined;
  if (a.sequence === b.sequence) return 0;
  return a.sequence < b.sequence ? -1 : 1;
}

/** Whether both hold the same keys, whatever their numbers say. */
export function sameKeys(a: SpiffeBundle, b: SpiffeBundle): boolean {
  return a.x509.authorities.length === b.x509.authorities.length && a.jwt.keys.length === b.jwt.keys.length
    ? sameAuthorities(a, b) && sameJwtKeys(a, b)
    : false;
}

function sameAuthorities(a: SpiffeBundle, b: SpiffeBundle): boolean {
  return a.x509.authorities.every((der, index) => {
    const other = b.x509.authorities[index];
    return other !== undefined && Buffer.compare(der, other) === 0;
  });
}

function sameJwtKeys(a: SpiffeBundle, b: SpiffeBundle): boolean {
  return a.jwt.keys.every(({ kid, algorithm, publicKey }, index) => {
    const other = b.jwt.keys[index];
    if (other === undefined) return false;
    return kid === other.kid && algorithm === other.algorithm && publicKey.equals(other.publicKey);
  });
}

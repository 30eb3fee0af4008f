import type { KeyObject } from 'node:crypto';
import type { SpiffeId } from '../../spiffe-id.ts';

/** A workload's own X.509 identity with its private key. */
export interface X509Svid {
  readonly id: SpiffeId;
  /** DER, leaf first. */
  readonly certificates: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  /** `notBefore` of the leaf. */
  readonly issuedAtMs: number;
  /** `notAfter` of the leaf. */
  readonly expiresAtMs: number;
  /** What the operator wants this SVID used for. */
  readonly hint?: string;
  /** PEM, leaf first. */
  readonly certificateChainPem: string;
  /** PKCS#8 PEM. A method, so that nothing prints it by accident. */
  privateKeyPem(): string;
}

export interface X509SvidSource {
  /** The SVID of this moment. Does no I/O; throws when there is none. */
  getX509Svid(): X509Svid;
}

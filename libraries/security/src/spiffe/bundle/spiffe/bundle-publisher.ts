import type { TrustDomain } from '../../trust-domain.ts';
import type { JwtKey } from '../jwt/jwt-bundle.ts';
import { type SpiffeBundle, sameKeys } from './spiffe-bundle.ts';

export interface BundlePublisherOptions {
  readonly trustDomain: TrustDomain;
  /** How often others should ask, in whole seconds; default 300. */
  readonly refreshHintSeconds?: number;
  /** Of the last bundle that was published before a restart; default 0. The number must never go back. */
  readonly lastSequence?: bigint;
}

/** Federation, 4.1: a new key is published this many refresh intervals before it signs anything. */
const LEAD_INTERVALS = 5;

/** Numbers the bundles that a trust domain publishes about itself. */
export class BundlePublisher {
  readonly #trustDomain: TrustDomain;
  readonly #refreshHintSeconds: number;
  #sequence: bigint;
  #current: SpiffeBundle | undefined;

  constructor({ trustDomain, refreshHintSeconds = 300, lastSequence = 0n }: BundlePublisherOptions) {
    if (!Number.isSafeInteger(refreshHintSeconds) || refreshHintSeconds < 1) {
      throw new RangeError('refreshHintSeconds must be a whole number of at least 1');
    }
    this.#trustDomain = trustDomain;
    this.#refreshHintSeconds = refreshHintSeconds;
    this.#sequence = lastSequence;
  }

  /** The newest bundle; undefined before the first. */
  get current(): SpiffeBundle | undefined {
    return this.#current;
  }

  /** How long after its publication a new key may sign its first SVID, in milliseconds: others have it by then. */
  get leadMs(): number {
    return LEAD_INTERVALS * this.#refreshHintSeconds * 1000;
  }

  /** Publishes these keys, under the next number if they differ from the ones before. */
  publish(keys: { readonly authorities: readonly Uint8Array[]; readonly jwtKeys: readonly JwtKey[] }): SpiffeBundle {
    const trustDomain = this.#trustDomain;
    const next: SpiffeBundle = {
      trustDomain,
      sequence: this.#sequence + 1n,
      refreshHintSeconds: this.#refreshHintSeconds,
      x509: { trustDomain, authorities: keys.authorities },
      jwt: { trustDomain, keys: keys.jwtKeys },
      ignored: [],
    };
    // B-02: the number changes with the contents and only with them.
    if (this.#current !== undefined && sameKeys(this.#current, next)) return this.#current;
    this.#sequence += 1n;
    this.#current = next;
    return next;
  }
}

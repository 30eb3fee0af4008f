import { type Clock, systemClock } from '../common/index.ts';
import type { TrustDomain } from '../spiffe/index.ts';
import { JwtSigner } from './jwt-signer.ts';
import { generateKeyPair } from './key-type.ts';

export interface WitIssuerOptions {
  readonly trustDomain: TrustDomain;
  /** Of a WIT-SVID, in seconds; default 3 600. */
  readonly ttlSeconds?: number;
  readonly clock?: Clock;
}

/** Issues WIT-SVIDs, which are incubating, with a key of their own. */
export class WitIssuer {
  readonly trustDomain: TrustDomain;
  readonly signer = JwtSigner.generate('ES256');
  readonly #ttlSeconds: number;
  readonly #clock: Clock;

  constructor({ trustDomain, ttlSeconds = 3_600, clock = systemClock }: WitIssuerOptions) {
    this.trustDomain = trustDomain;
    this.#ttlSeconds = ttlSeconds;
    this.#clock = clock;
  }

  /** A token for a new key, with the private JWK of that key as JSON. */
  issue(id: string): { readonly token: string; readonly privateKeyJwk: string } {
    const { publicKey, privateKey } = generateKeyPair('ec-p256');
    const issuedAt = Math.floor(this.#clock.now() / 1000);
    const claims = {
      sub: id,
      iat: issuedAt,
      exp: issuedAt + this.#ttlSeconds,
      cnf: { jwk: { ...publicKey.export({ format: 'jwk' }), alg: 'ES256' } },
    };
    const token = this.signer.sign(claims, { typ: 'wit+jwt' });
    return { token, privateKeyJwk: JSON.stringify({ ...privateKey.export({ format: 'jwk' }), alg: 'ES256' }) };
  }

  /** The JWK set that verifies them, as JSON. */
  jwks(): string {
    return JSON.stringify({ keys: [{ ...this.signer.jwk(), use: 'wit-svid' }] });
  }
}

import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { encodeBase64Url } from '../encoding/index.ts';
import { keyIdentifier } from './certificate-extensions.ts';
import { generateKeyPair } from './key-type.ts';

export type JwtSignerAlgorithm = 'ES256' | 'RS256';

/** A key that signs tokens, with its key id. */
export class JwtSigner {
  readonly kid: string;
  readonly algorithm: JwtSignerAlgorithm;
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  constructor(algorithm: JwtSignerAlgorithm, privateKey: KeyObject) {
    this.algorithm = algorithm;
    this.#privateKey = privateKey;
    this.publicKey = createPublicKey(privateKey);
    this.kid = encodeBase64Url(keyIdentifier(this.publicKey));
  }

  static generate(algorithm: JwtSignerAlgorithm): JwtSigner {
    return new JwtSigner(algorithm, generateKeyPair(algorithm === 'ES256' ? 'ec-p256' : 'rsa-2048').privateKey);
  }

  static import({ algorithm, privateKeyPem }: JwtSignerState): JwtSigner {
    return new JwtSigner(algorithm, createPrivateKey(privateKeyPem));
  }

  /** Holds the private key in the clear. */
  export(): JwtSignerState {
    const privateKeyPem = this.#privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { algorithm: this.algorithm, privateKeyPem };
  }

  /** A compact JWS. `header` adds to `alg`, `kid` and `typ` or replaces them; `undefined` leaves one out. */
  sign(claims: Readonly<Record<string, unknown>>, header: Readonly<Record<string, unknown>> = {}): string {
    const full = { alg: this.algorithm, kid: this.kid, typ: 'JWT', ...header };
    const signed = `${encodeBase64Url(JSON.stringify(full))}.${encodeBase64Url(JSON.stringify(claims))}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${encodeBase64Url(signature)}`;
  }

  /** The public JWK with `kid` and `use`. */
  jwk(): Readonly<Record<string, unknown>> {
    return { ...this.publicKey.export({ format: 'jwk' }), kid: this.kid, use: 'jwt-svid' };
  }
}

export interface JwtSignerState {
  readonly algorithm: JwtSignerAlgorithm;
  readonly privateKeyPem: string;
}

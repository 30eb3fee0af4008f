import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const KEY_ID = 'run';

/** Signs the tokens of one run, as Temporal's default claim mapper reads them. */
export class TokenIssuer {
  readonly #privateKey: KeyObject;
  /** JWKS. */
  readonly keys: string;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = privateKey;
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'ES256', use: 'sig' };
    this.keys = JSON.stringify({ keys: [jwk] });
  }

  /** `permissions`: `<namespace>:read|write|worker|admin`; the namespace `temporal-system` means all of them. */
  issue(permissions: readonly string[], ttlSeconds: number): string {
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const claims = { sub: 'test', permissions, iat: nowSeconds, exp: nowSeconds + ttlSeconds };
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
    const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid: KEY_ID })}.${encode(claims)}`;
    const key = { key: this.#privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  }
}

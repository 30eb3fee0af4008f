import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** JWT-SVID, 2.1. */
export const NINE = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const;
export type Algorithm = (typeof NINE)[number];

const ecKey = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsaKey = (modulusLength: number): KeyObject => generateKeyPairSync('rsa', { modulusLength }).privateKey;

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly kid?: string;
  /** The one algorithm that its JWK allows. */
  readonly alg?: Algorithm;
}

/** The keys of `example.org`; `foreign` is another trust domain's, under a `kid` that `example.org` uses too. */
export const KEYS = {
  p256: { privateKey: ecKey('P-256'), kid: 'p256' },
  p256Twin: { privateKey: ecKey('P-256'), kid: 'p256-twin' },
  p256NoKid: { privateKey: ecKey('P-256') },
  p384: { privateKey: ecKey('P-384'), kid: 'p384' },
  p521: { privateKey: ecKey('P-521'), kid: 'p521' },
  rsa: { privateKey: rsaKey(2048), kid: 'rsa' },
  rsaForPs384: { privateKey: rsaKey(3072), kid: 'rsa-ps384', alg: 'PS384' },
  rsaSmall: { privateKey: rsaKey(1024), kid: 'rsa-small' },
  foreign: { privateKey: ecKey('P-256'), kid: 'p256' },
  stranger: { privateKey: ecKey('P-256'), kid: 'p256' },
} as const satisfies Record<string, SigningKey>;
export type KeyName = keyof typeof KEYS;

export const HOME_KEYS = ['p256', 'p256Twin', 'p256NoKid', 'p384', 'p521', 'rsa', 'rsaForPs384'] as const;

const RSA_ALGORITHMS = NINE.filter((algorithm) => !algorithm.startsWith('ES'));

/** Those that a key can sign for. */
export function algorithmsOf(name: KeyName): readonly Algorithm[] {
  const { asymmetricKeyType, asymmetricKeyDetails } = KEYS[name].privateKey;
  if (asymmetricKeyType === 'rsa') return RSA_ALGORITHMS;
  const curve = asymmetricKeyDetails?.namedCurve;
  return [curve === 'prime256v1' ? 'ES256' : curve === 'secp384r1' ? 'ES384' : 'ES512'];
}

export interface Signing {
  readonly key: KeyName;
  readonly algorithm: Algorithm;
  /** DER instead of the two numbers; RSA has no such choice. */
  readonly asDer?: boolean;
  /** Of the salt of RSASSA-PSS; default that of the hash. */
  readonly saltLength?: number;
}

export function signText(text: string, { key, algorithm, asDer = false, saltLength }: Signing): Buffer {
  const { privateKey } = KEYS[key];
  const hash = `sha${algorithm.slice(2)}`;
  const dsaEncoding = asDer ? 'der' : 'ieee-p1363';
  if (!algorithm.startsWith('PS')) return sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding });
  const salt = saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST;
  return sign(hash, Buffer.from(text), { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt });
}

/** The public JWKs as a trust domain publishes them, with the `use` that is asked for. */
export function jwkSet(names: readonly KeyName[], use: string): { readonly keys: readonly Record<string, unknown>[] } {
  return {
    keys: names.map((name) => {
      const { privateKey, ...members }: SigningKey = KEYS[name];
      return { ...createPublicKey(privateKey).export({ format: 'jwk' }), ...members, use };
    }),
  };
}

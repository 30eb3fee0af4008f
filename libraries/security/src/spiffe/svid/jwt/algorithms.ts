import { constants, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto';

interface JwtAlgorithm {
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly key: 'rsa' | 'ec';
  /** OpenSSL's name of the one curve that goes with it. */
  readonly curve?: string;
  readonly pss?: true;
}

/** JWT-SVID, 2.1: these nine and no other. */
const ALGORITHMS: ReadonlyMap<string, JwtAlgorithm> = new Map<string, JwtAlgorithm>([
  ['RS256', { hash: 'sha256', key: 'rsa' }],
  ['RS384', { hash: 'sha384', key: 'rsa' }],
  ['RS512', { hash: 'sha512', key: 'rsa' }],
  ['PS256', { hash: 'sha256', key: 'rsa', pss: true }],
  ['PS384', { hash: 'sha384', key: 'rsa', pss: true }],
  ['PS512', { hash: 'sha512', key: 'rsa', pss: true }],
  ['ES256', { hash: 'sha256', key: 'ec', curve: 'prime256v1' }],
  ['ES384', { hash: 'sha384', key: 'ec', curve: 'secp384r1' }],
  ['ES512', { hash: 'sha512', key: 'ec', curve: 'secp521r1' }],
]);

export function isJwtAlgorithm(name: unknown): name is string {
  return typeof name === 'string' && ALGORITHMS.has(name);
}

const MIN_RSA_BITS = 2048;

/**
 * Whether the type and the curve or the size of the key go with the algorithm (RFC 7518, 3.3 to 3.5). A bundle that was
 * parsed holds no smaller RSA key; one that its owner made may.
 */
export function fitsAlgorithm(key: KeyObject, name: string): boolean {
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined || key.asymmetricKeyType !== algorithm.key) return false;
  const details = key.asymmetricKeyDetails;
  if (algorithm.curve === undefined) return (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
  return details?.namedCurve === algorithm.curve;
}

/** Holds what is verified, one at a time: a buffer for each token would be the larger part of the garbage. */
const scratch = Buffer.allocUnsafeSlow(8192);

/** The caller has asked `fitsAlgorithm`. `signed` is ASCII. */
export function verifyJwtSignature(name: string, signed: string, key: KeyObject, signature: Uint8Array): boolean {
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined) return false;
  const fits = signed.length <= scratch.length;
  const bytes = fits ? scratch.subarray(0, scratch.write(signed, 'latin1')) : Buffer.from(signed, 'latin1');
  return verify(algorithm.hash, bytes, verifyKey(algorithm, key), signature);
}

/** RSASSA-PKCS1-v1_5 is what a key of the type `rsa` is used for unless told otherwise. */
function verifyKey(algorithm: JwtAlgorithm, key: KeyObject): KeyObject | VerifyKeyObjectInput {
  if (algorithm.key === 'ec') return { key, dsaEncoding: 'ieee-p1363' };
  if (!algorithm.pss) return key;
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

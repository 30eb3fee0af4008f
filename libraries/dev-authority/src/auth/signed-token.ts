import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import { isRecord } from '../api/fields.ts';

export interface SignedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signature: Buffer;
  readonly signed: Buffer;
}

export interface VerificationKey {
  readonly id: string | undefined;
  readonly key: KeyObject;
}

/** Longer tokens are refused before they are decoded. */
const MAX_TOKEN_LENGTH = 16_384;

/** Algorithm → digest, key type and, for elliptic curves, the only curve that fits (RFC 7518, section 3.1). */
const ALGORITHMS: Readonly<Record<string, { digest: string | null; type: string; curve?: string; pss?: boolean }>> = {
  RS256: { digest: 'sha256', type: 'rsa' },
  RS384: { digest: 'sha384', type: 'rsa' },
  RS512: { digest: 'sha512', type: 'rsa' },
  PS256: { digest: 'sha256', type: 'rsa', pss: true },
  PS384: { digest: 'sha384', type: 'rsa', pss: true },
  PS512: { digest: 'sha512', type: 'rsa', pss: true },
  ES256: { digest: 'sha256', type: 'ec', curve: 'prime256v1' },
  ES384: { digest: 'sha384', type: 'ec', curve: 'secp384r1' },
  ES512: { digest: 'sha512', type: 'ec', curve: 'secp521r1' },
  EdDSA: { digest: null, type: 'ed25519' },
};

/** Takes a compact JWS apart and believes none of it. Throws an `Error` whose text may go on the wire. */
export function decodeSignedToken(token: string): SignedToken {
  if (token.length > MAX_TOKEN_LENGTH) throw new Error('token is too long');
  const [header, claims, signature, ...more] = token.split('.');
  if (header === undefined || claims === undefined || signature === undefined || more.length > 0) {
    throw new Error('token must have three parts');
  }
  return {
    header: decodePart(header),
    claims: decodePart(claims),
    signature: decodeBase64url(signature),
    signed: Buffer.from(`${header}.${claims}`, 'ascii'),
  };
}

/** Whether one of the keys made the signature. The algorithm must fit the key; `none` and HMACs fit none. */
export function isSignedBy(
  token: SignedToken,
  keys: readonly VerificationKey[],
  algorithms: readonly string[] = [],
): boolean {
  const { alg, kid } = token.header;
  if (typeof alg !== 'string' || !Object.hasOwn(ALGORITHMS, alg)) return false;
  // RFC 7515, section 4.1.11: an extension that must be understood and is not.
  if (token.header.crit !== undefined) return false;
  if (algorithms.length > 0 && !algorithms.includes(alg)) return false;
  const named = keys.filter((key) => key.id !== undefined && key.id === kid);
  const candidates = named.length > 0 ? named : keys.filter((key) => key.id === undefined || kid === undefined);
  return candidates.some(({ key }) => verifies(token, alg, key));
}

/** The keys of a JWK set that can verify signatures; others are left out. */
export function keysOfJwks(jwks: unknown): VerificationKey[] {
  const list = isRecord(jwks) ? jwks.keys : undefined;
  if (!Array.isArray(list)) throw new Error('not a JWK set');
  return list.flatMap((jwk: unknown) => {
    if (!isRecord(jwk) || jwk.use === 'enc' || jwk.use === 'x509-svid' || jwk.kty === 'oct') return [];
    try {
      const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
      return [{ id: typeof jwk.kid === 'string' ? jwk.kid : undefined, key }];
    } catch {
      return [];
    }
  });
}

function verifies(token: SignedToken, alg: string, key: KeyObject): boolean {
  const wanted = ALGORITHMS[alg];
  if (wanted === undefined || key.asymmetricKeyType !== wanted.type) return false;
  if (wanted.curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== wanted.curve) return false;
  if (wanted.type === 'ec')
    return verify(wanted.digest, token.signed, { key, dsaEncoding: 'ieee-p1363' }, token.signature);
  if (wanted.pss === true) {
    // RSA_PKCS1_PSS_PADDING with a salt as long as the digest (RFC 7518, section 3.5).
    return verify(wanted.digest, token.signed, { key, padding: 6, saltLength: -1 }, token.signature);
  }
  return verify(wanted.digest, token.signed, key, token.signature);
}

function decodePart(part: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(decodeBase64url(part).toString('utf8'));
  } catch {
    throw new Error('token part is not base64url of a JSON object');
  }
  if (!isRecord(value)) throw new Error('token part is not base64url of a JSON object');
  return value;
}

function decodeBase64url(text: string): Buffer {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error('illegal base64 data in token');
  return Buffer.from(text, 'base64url');
}

/** `aud` as a list, whether it came as text or list. */
export function audiencesOf(claims: Readonly<Record<string, unknown>>): string[] {
  const { aud } = claims;
  if (typeof aud === 'string') return [aud];
  return Array.isArray(aud) ? aud.filter((entry): entry is string => typeof entry === 'string') : [];
}

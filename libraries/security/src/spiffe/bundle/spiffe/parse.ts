import { messageOf } from '../../../common/index.ts';
import { decodeBase64, parseExactJson } from '../../../encoding/index.ts';
import { parseCertificate } from '../../certificate/certificate.ts';
import { certificatePublicKey } from '../../certificate/signature.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import type { TrustDomain } from '../../trust-domain.ts';
import { importJwk, isJwkObject, isKnownJwk, type JwkObject, jwkText } from '../jwk.ts';
import type { JwtKey } from '../jwt/jwt-bundle.ts';
import type { SpiffeBundle } from './spiffe-bundle.ts';

/** A longer document is refused unread, in bytes. */
export const MAX_BUNDLE_BYTES = 1024 * 1024;
const MAX_KEYS = 256;
const MAX_SEQUENCE = 2n ** 64n - 1n;
/** Anything beyond is no interval that somebody meant: 68 years, in seconds. */
const MAX_HINT_SECONDS = 2 ** 31 - 1;

/**
 * Reads a bundle in the SPIFFE bundle format (Trust Domain and Bundle, 4). Parameters that are not known are ignored,
 * and so are elements of an unknown type or `use`; one of a known `use` that is malformed refuses the document, so that
 * an incomplete bundle never takes the place of a good one.
 * @param trustDomain Whose bundle it is: the document does not say so.
 * @throws SpiffeError `SPIFFE_BUNDLE_INVALID`
 */
export function parseSpiffeBundle(trustDomain: TrustDomain, document: Uint8Array | string): SpiffeBundle {
  try {
    return readSpiffeBundle(trustDomain, parseExactJson(document, { maxBytes: MAX_BUNDLE_BYTES }));
  } catch (cause) {
    const message = `The SPIFFE bundle of ${trustDomain} is malformed: ${messageOf(cause)}`;
    throw new SpiffeError('SPIFFE_BUNDLE_INVALID', message, { cause });
  }
}

/** The same from JSON that was read already. @throws TypeError, RangeError and errors of encodings */
export function readSpiffeBundle(trustDomain: TrustDomain, document: unknown): SpiffeBundle {
  if (!isJwkObject(document)) throw new TypeError('The document is not an object');
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: hint } = document;
  // B-04: an empty array is a bundle that trusts nothing; a missing one is no bundle.
  if (!Array.isArray(keys)) throw new TypeError('The parameter keys is not an array');
  if (keys.length > MAX_KEYS) throw new RangeError(`There are more than ${MAX_KEYS} keys`);
  const authorities: Uint8Array[] = [];
  const jwtKeys: JwtKey[] = [];
  const ignored: string[] = [];
  for (const [index, jwk] of keys.entries()) {
    if (!isJwkObject(jwk)) throw new TypeError('A key is not an object');
    const reason = reasonToIgnore(jwk);
    if (reason !== undefined) ignored.push(`keys[${index}] ${reason}`);
    else if (jwk.use === 'x509-svid') authorities.push(readAuthority(jwk));
    else jwtKeys.push(readJwtKey(jwk));
  }
  return {
    trustDomain,
    sequence: readSequence(sequence),
    refreshHintSeconds: readHint(hint),
    x509: { trustDomain, authorities },
    jwt: { trustDomain, keys: jwtKeys },
    ignored,
  };
}

/** B-05. A token without `kid` would match any key, so a JWT key without one is not taken either (JWT-SVID, 6.1). */
function reasonToIgnore(jwk: JwkObject): string | undefined {
  if (jwk.use !== 'x509-svid' && jwk.use !== 'jwt-svid') return 'has no use of an SVID';
  if (!isKnownJwk(jwk)) return 'has an unknown key type';
  if (jwk.use === 'jwt-svid' && jwk.kid === undefined) return 'has no kid';
  // X509-SVID, 6.2.
  const { x5c } = jwk;
  const empty = x5c === undefined || (Array.isArray(x5c) && x5c.length === 0);
  return jwk.use === 'x509-svid' && empty ? 'has no x5c' : undefined;
}

/** X509-SVID, 6.2: only the first value of `x5c` counts. RFC 7517, 4.7: its key is the one that the JWK names. */
function readAuthority(jwk: JwkObject): Uint8Array {
  const [first] = Array.isArray(jwk.x5c) ? jwk.x5c : [undefined];
  if (typeof first !== 'string') throw new TypeError('The x5c of a key is not a list of texts');
  const certificate = parseCertificate(decodeBase64(first));
  if (!certificatePublicKey(certificate).equals(importJwk(jwk))) {
    throw new TypeError('A key and its certificate do not belong together');
  }
  return certificate.der;
}

function readJwtKey(jwk: JwkObject): JwtKey {
  return {
    kid: jwkText(jwk, 'kid'),
    ...(jwk.alg === undefined ? {} : { algorithm: jwkText(jwk, 'alg') }),
    publicKey: importJwk(jwk),
  };
}

/** B-02: an integer, read with 64 bits. */
function readSequence(value: unknown): bigint | undefined {
  if (value === undefined) return undefined;
  const sequence = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof sequence !== 'bigint' || sequence < 0n || sequence > MAX_SEQUENCE) {
    throw new TypeError('The parameter spiffe_sequence is not a 64-bit integer');
  }
  return sequence;
}

/** B-03: an integer of seconds. */
function readHint(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > MAX_HINT_SECONDS) {
    throw new TypeError('The parameter spiffe_refresh_hint is not a number of seconds');
  }
  return value;
}

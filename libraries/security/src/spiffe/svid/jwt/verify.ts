import { systemClock } from '../../../common/index.ts';
import type { JwtBundleSource, JwtKey } from '../../bundle/jwt/jwt-bundle.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { fitsAlgorithm, verifyJwtSignature } from './algorithms.ts';
import { readClaims } from './claims.ts';
import { readCompactJwt, type UnverifiedJwt } from './compact.ts';
import type { JwtSvid } from './jwt-svid.ts';

export interface JwtVerifyOptions {
  readonly bundles: JwtBundleSource;
  /** Who the verifier is; the token must name at least one of them. */
  readonly audience: string | readonly string[];
  /** The exact `iss`; without it the claim is not judged, as JWT-SVID leaves it open. */
  readonly issuer?: string;
  /** How far clocks may differ, in seconds from 0 to 120, default 30. */
  readonly leewaySeconds?: number;
  /** Refuses headers other than `alg`, `kid` and `typ`, which no issuer may set. Default: they are ignored. */
  readonly strictHeaders?: boolean;
  /** The moment to judge at, default now. */
  readonly nowMs?: number;
}

const DEFAULT_LEEWAY_SECONDS = 30;
const MAX_LEEWAY_SECONDS = 120;
/** Keys tried for a token without `kid`. */
const MAX_KEYS_TRIED = 16;

/**
 * Verifies a JWT-SVID with the keys of its subject's own trust domain. Form, algorithm and trust domain are judged
 * first; an unknown key, a wrong key and a wrong signature look alike; time, audience and issuer are judged only on a
 * token that is genuine.
 * @throws TypeError without an audience; RangeError for a leeway out of range
 * @throws SpiffeError `JWT_TOO_LARGE`, `JWT_MALFORMED`, `JWT_ALGORITHM_REFUSED`, `JWT_CRITICAL_HEADER_REFUSED`,
 * `JWT_TYPE_REFUSED`, `JWT_HEADER_REFUSED`, `JWT_SUBJECT_INVALID`, `BUNDLE_NOT_FOUND`, `JWT_SIGNATURE_INVALID`, `JWT_CLAIMS_INVALID`,
 * `JWT_EXPIRED`, `JWT_NOT_YET_VALID`, `JWT_AUDIENCE_REFUSED`, `JWT_ISSUER_REFUSED`
 */
export function verifyJwtSvid(token: string, options: JwtVerifyOptions): JwtSvid {
  const { bundles, issuer, nowMs = systemClock.now() } = options;
  const { audience: expected, leewayMs } = resolveVerifyOptions(options);
  const jwt = readCompactJwt(token, options);
  assertSignature(jwt, bundles);
  const { svid, notBeforeMs } = readClaims(token, jwt);
  // RFC 7519, 4.1.4: not accepted on or after this moment.
  if (nowMs >= svid.expiresAtMs + leewayMs)
    throw new SpiffeError('JWT_EXPIRED', `The JWT-SVID of ${jwt.id} has expired`);
  if (notBeforeMs !== undefined && nowMs < notBeforeMs - leewayMs) {
    throw new SpiffeError('JWT_NOT_YET_VALID', `The JWT-SVID of ${jwt.id} is not valid yet`);
  }
  if (!svid.audience.some((name) => expected.includes(name))) {
    throw new SpiffeError('JWT_AUDIENCE_REFUSED', `The JWT-SVID of ${jwt.id} is meant for another audience`);
  }
  if (issuer !== undefined && svid.claims.iss !== issuer) {
    throw new SpiffeError('JWT_ISSUER_REFUSED', `The JWT-SVID of ${jwt.id} has another issuer`);
  }
  return svid;
}

/** @throws TypeError without an audience; RangeError for a leeway out of range */
export function resolveVerifyOptions(options: Pick<JwtVerifyOptions, 'audience' | 'leewaySeconds'>): {
  readonly audience: readonly string[];
  readonly leewayMs: number;
} {
  const { leewaySeconds = DEFAULT_LEEWAY_SECONDS } = options;
  const audience = typeof options.audience === 'string' ? [options.audience] : options.audience;
  // JWT-SVID, appendix A: a validator without an audience would take tokens that are meant for others.
  if (audience.length === 0 || audience.includes('')) throw new TypeError('audience must name at least one audience');
  if (!(leewaySeconds >= 0 && leewaySeconds <= MAX_LEEWAY_SECONDS)) {
    throw new RangeError(`leewaySeconds must lie between 0 and ${MAX_LEEWAY_SECONDS}`);
  }
  return { audience, leewayMs: leewaySeconds * 1000 };
}

function assertSignature(jwt: UnverifiedJwt, bundles: JwtBundleSource): void {
  const { trustDomain } = jwt.id;
  const bundle = bundles.getJwtBundle(trustDomain);
  if (bundle === undefined || !bundle.trustDomain.equals(trustDomain)) {
    throw new SpiffeError('BUNDLE_NOT_FOUND', `There is no JWT bundle of the trust domain ${trustDomain}`);
  }
  let tried = 0;
  for (const key of bundle.keys) {
    if (tried === MAX_KEYS_TRIED) break;
    if (!isCandidate(key, jwt)) continue;
    tried += 1;
    if (verifyJwtSignature(jwt.algorithm, jwt.signed, key.publicKey, jwt.signature)) return;
  }
  throw new SpiffeError('JWT_SIGNATURE_INVALID', `No key of ${trustDomain} made the signature of the JWT-SVID`);
}

/** JWT-SVID, 2.2: `kid` is optional; without it every key of the trust domain that goes with the algorithm is tried. */
function isCandidate(key: JwtKey, { kid, algorithm }: UnverifiedJwt): boolean {
  if (kid !== undefined && key.kid !== kid) return false;
  return (key.algorithm ?? algorithm) === algorithm && fitsAlgorithm(key.publicKey, algorithm);
}

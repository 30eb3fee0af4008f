import { constants, createHash, randomUUID, sign } from 'node:crypto';
import { systemClock } from '../../common/index.ts';
import { encodeBase64Url } from '../../encoding/index.ts';
import { verifyJwtSignature } from '../svid/jwt/algorithms.ts';
import { readCompactJws, readTimeMs } from './compact-jws.ts';
import type { WitSvid } from './wit-svid.ts';
import type { WitConfirmation } from './wit-verify.ts';

/** HTTP fields of a WIT-SVID and its proof; never `authorization`. */
export const WIT_HEADER = 'workload-identity-token';
export const WPT_HEADER = 'workload-proof-token';

const TYPE = 'wpt+jwt';
const DEFAULT_LIFE_SECONDS = 30;
const MAX_LIFE_SECONDS = 300;

export interface WimseProofRequest {
  /** Whom the proof is for, such as the target URI. */
  readonly audience: string;
  /** Life of the proof in seconds from 1 to 300, default 30. */
  readonly ttlSeconds?: number;
  /** Default now. */
  readonly nowMs?: number;
}

/** A workload proof token (WIMSE): shows for a short while, to one audience, that the sender holds the key of the SVID. */
export function createWimseProof(svid: WitSvid, request: WimseProofRequest): string {
  const { audience, ttlSeconds = DEFAULT_LIFE_SECONDS, nowMs = systemClock.now() } = request;
  if (audience === '') throw new TypeError('audience must not be empty');
  if (!(ttlSeconds >= 1 && ttlSeconds <= MAX_LIFE_SECONDS)) {
    throw new RangeError(`ttlSeconds must lie between 1 and ${MAX_LIFE_SECONDS}`);
  }
  const header = { alg: svid.algorithm, typ: TYPE };
  const claims = {
    aud: audience,
    exp: Math.floor(nowMs / 1000) + ttlSeconds,
    jti: randomUUID(),
    wth: digestOf(svid.token.reveal()),
  };
  const signed = `${encodeBase64Url(JSON.stringify(header))}.${encodeBase64Url(JSON.stringify(claims))}`;
  const pss = svid.algorithm.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
  const signature = sign(`sha${svid.algorithm.slice(2)}`, Buffer.from(signed), {
    key: svid.privateKey,
    dsaEncoding: 'ieee-p1363',
    ...pss,
  });
  return `${signed}.${encodeBase64Url(signature)}`;
}

export interface WimseProofOptions {
  /** Who the verifier is, as the sender names it. */
  readonly audience: string;
  /** How far ahead a proof may end, in seconds from 1 to 300, default 60: a proof that lives long can be used again. */
  readonly maxLifeSeconds?: number;
  /** How far clocks may differ, in seconds from 0 to 120, default 30. */
  readonly leewaySeconds?: number;
}

/** Checks a workload proof token, for `WitVerifyOptions.proof`. Repeated use within its life is for the caller to notice, by `jti`. */
export function wimseProof(proof: string, options: WimseProofOptions): (confirmation: WitConfirmation) => boolean {
  const { audience, maxLifeSeconds = 60, leewaySeconds = 30 } = options;
  if (audience === '') throw new TypeError('audience must not be empty');
  if (!(maxLifeSeconds >= 1 && maxLifeSeconds <= MAX_LIFE_SECONDS)) {
    throw new RangeError(`maxLifeSeconds must lie between 1 and ${MAX_LIFE_SECONDS}`);
  }
  if (!(leewaySeconds >= 0 && leewaySeconds <= 120)) throw new RangeError('leewaySeconds must lie between 0 and 120');
  return ({ token, key, algorithm, nowMs }) => {
    const jws = readCompactJws(proof, TYPE);
    const { aud, jti, wth } = jws.claims;
    const expiresAtMs = readTimeMs(jws.claims, 'exp');
    const leewayMs = leewaySeconds * 1000;
    return (
      jws.algorithm === algorithm &&
      verifyJwtSignature(algorithm, jws.signed, key, jws.signature) &&
      wth === digestOf(token) &&
      aud === audience &&
      typeof jti === 'string' &&
      expiresAtMs !== undefined &&
      nowMs < expiresAtMs + leewayMs &&
      expiresAtMs <= nowMs + maxLifeSeconds * 1000 + leewayMs
    );
  };
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

import type { KeyObject } from 'node:crypto';
import type { JsonObject, JsonValue } from '../../encoding/index.ts';
import { importJwk, isKnownJwk } from '../bundle/jwk.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { SpiffeId } from '../spiffe-id.ts';
import { fitsAlgorithm, isJwtAlgorithm } from '../svid/jwt/algorithms.ts';
import { type CompactJws, isObject, readCompactJws, readTimeMs } from './compact-jws.ts';

/** A WIT-SVID that is well formed (WIT-SVID, sections 2 and 3). Nothing of it is verified. */
export interface WitToken extends CompactJws {
  readonly kid: string;
  readonly id: SpiffeId;
  readonly confirmationKey: KeyObject;
  /** The algorithm of proofs by that key. */
  readonly confirmationAlgorithm: string;
  readonly expiresAtMs: number;
  readonly notBeforeMs: number | undefined;
}

/** @throws SpiffeError `WIT_MALFORMED`, `WIT_CLAIMS_INVALID` */
export function readWitToken(token: string): WitToken {
  const jws = within('WIT_MALFORMED', () => readCompactJws(token, 'wit+jwt'));
  return within('WIT_CLAIMS_INVALID', () => {
    const { kid } = jws.header;
    if (typeof kid !== 'string' || kid === '') throw new TypeError('has no kid');
    // WIT-SVID, 3: the token is bound to a key, not to an audience.
    if (jws.claims.aud !== undefined) throw new TypeError('names an audience');
    const expiresAtMs = readTimeMs(jws.claims, 'exp');
    if (expiresAtMs === undefined) throw new TypeError('has no exp');
    if (typeof jws.claims.sub !== 'string') throw new TypeError('has no subject');
    return {
      ...jws,
      kid,
      id: SpiffeId.parse(jws.claims.sub),
      ...readConfirmation(jws.claims.cnf),
      expiresAtMs,
      notBeforeMs: readTimeMs(jws.claims, 'nbf'),
    };
  });
}

function readConfirmation(cnf: JsonValue | undefined): Pick<WitToken, 'confirmationKey' | 'confirmationAlgorithm'> {
  const jwk: JsonObject | undefined = isObject(cnf) && isObject(cnf.jwk) ? cnf.jwk : undefined;
  if (jwk === undefined) throw new TypeError('has no confirmation key');
  if (!isJwtAlgorithm(jwk.alg)) throw new TypeError('has a confirmation key without one of the nine algorithms');
  if (!isKnownJwk(jwk)) throw new TypeError('has a confirmation key of an unknown type');
  // A private key is refused by the import.
  const confirmationKey = importJwk(jwk);
  if (!fitsAlgorithm(confirmationKey, jwk.alg)) throw new TypeError('has a confirmation key that does not fit its alg');
  return { confirmationKey, confirmationAlgorithm: jwk.alg };
}

function within<T>(code: 'WIT_MALFORMED' | 'WIT_CLAIMS_INVALID', read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof TypeError || cause instanceof RangeError ? cause.message : 'is malformed';
    throw new SpiffeError(code, `The WIT-SVID ${reason}`, { cause });
  }
}

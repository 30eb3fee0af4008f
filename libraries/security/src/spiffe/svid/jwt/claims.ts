import { Secret } from '../../../common/index.ts';
import type { JsonValue } from '../../../encoding/index.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import type { UnverifiedJwt } from './compact.ts';
import type { JwtSvid } from './jwt-svid.ts';

export interface TimedClaims {
  readonly svid: JwtSvid;
  readonly notBeforeMs: number | undefined;
}

/**
 * Reads the claims that a JWT-SVID has (JWT-SVID, section 3); what they say is judged by the caller.
 * @throws SpiffeError `JWT_CLAIMS_INVALID`
 */
export function readClaims(token: string, { id, claims }: UnverifiedJwt, hint?: string): TimedClaims {
  const expiresAtMs = readTime(claims.exp, 'exp');
  if (expiresAtMs === undefined) throw invalid('has no exp');
  return {
    svid: {
      token: new Secret(token),
      id,
      audience: readAudience(claims.aud),
      issuedAtMs: readTime(claims.iat, 'iat'),
      expiresAtMs,
      claims,
      ...(hint === undefined || hint === '' ? {} : { hint }),
    },
    notBeforeMs: readTime(claims.nbf, 'nbf'),
  };
}

/** RFC 7519, 4.1.3: a text or an array of texts. */
function readAudience(aud: JsonValue | undefined): readonly string[] {
  const audience = typeof aud === 'string' ? [aud] : aud;
  if (!Array.isArray(audience)) throw invalid('has no aud');
  const texts = audience.filter((entry) => typeof entry === 'string' && entry !== '');
  if (texts.length === 0 || texts.length !== audience.length) throw invalid('has an aud that is not a list of texts');
  return texts;
}

/** RFC 7519, 2: a NumericDate, which may have a fraction. */
function readTime(value: JsonValue | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || value < 0 || value > Number.MAX_SAFE_INTEGER / 1000) {
    throw invalid(`has an ${name} that is no time`);
  }
  return value * 1000;
}

function invalid(rule: string): SpiffeError {
  return new SpiffeError('JWT_CLAIMS_INVALID', `The JWT-SVID ${rule}`);
}

import type { SpiffeErrorCode } from '../../spiffe/index.ts';

/** Why a call was refused: the values of the label `reason`. */
export type AuthFailureReason =
  | 'missing_token'
  | 'malformed_token'
  | 'untrusted_domain'
  | 'invalid_signature'
  | 'wrong_audience'
  | 'expired'
  | 'wrong_issuer'
  | 'not_allowed'
  | 'unknown_method';

/**
 * Where authentication is counted; `@neural-hive/security/prometheus` has an implementation. `method` is the full name of
 * a method of the table and `unknown` for every other, so that a caller cannot make labels.
 */
export interface AuthMetrics {
  attempt(method: string, status: 'allowed' | 'denied'): void;
  failure(method: string, reason: string): void;
}

const REASONS: Partial<Record<SpiffeErrorCode, AuthFailureReason>> = {
  BUNDLE_NOT_FOUND: 'untrusted_domain',
  JWT_SIGNATURE_INVALID: 'invalid_signature',
  JWT_AUDIENCE_REFUSED: 'wrong_audience',
  // Outside of its time, on either side.
  JWT_EXPIRED: 'expired',
  JWT_NOT_YET_VALID: 'expired',
  JWT_ISSUER_REFUSED: 'wrong_issuer',
};

/** How a token that `verifyJwtSvid` refused with this code is counted, over whatever it came. */
export function authFailureReasonOf(code: SpiffeErrorCode): AuthFailureReason {
  return REASONS[code] ?? 'malformed_token';
}

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

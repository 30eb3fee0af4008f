import { status } from '@grpc/grpc-js';
import { SpiffeError, type SpiffeErrorCode, type SpiffeId } from '../../spiffe/index.ts';
import { type AuthFailureReason, authFailureReasonOf } from './auth-metrics.ts';

const FORBIDDEN: ReadonlySet<AuthFailureReason> = new Set(['not_allowed', 'unknown_method']);

/** Errors of the verifier's own side: its source of bundles has none to judge with. */
const OWN_FAULTS: ReadonlySet<SpiffeErrorCode> = new Set(['SVID_WITHDRAWN', 'SOURCE_CLOSED', 'SOURCE_NOT_READY']);

/** A call that does not go on. */
export class Refusal extends Error {
  readonly reason: AuthFailureReason;
  /** Whose token it is, as far as that is proved. */
  readonly id: SpiffeId | undefined;
  readonly code: status;

  constructor(reason: AuthFailureReason, options: { id?: SpiffeId | undefined; cause?: unknown; code?: status } = {}) {
    super(`The call is refused: ${reason}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.id = options.id;
    this.code = options.code ?? (FORBIDDEN.has(reason) ? status.PERMISSION_DENIED : status.UNAUTHENTICATED);
  }

  /** Everything that goes wrong while a token is judged refuses the call. */
  static of(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    if (!(error instanceof SpiffeError)) return new Refusal('malformed_token', { cause: error, code: status.INTERNAL });
    if (OWN_FAULTS.has(error.code)) {
      return new Refusal('untrusted_domain', { cause: error, code: status.UNAVAILABLE });
    }
    return new Refusal(authFailureReasonOf(error.code), { cause: error });
  }
}

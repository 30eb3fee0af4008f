import type { Secret } from '../../../common/index.ts';
import type { SpiffeId } from '../../spiffe-id.ts';

export interface JwtSvid {
  readonly token: Secret<string>;
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  readonly issuedAtMs: number | undefined;
  readonly expiresAtMs: number;
  /** Every claim of the token. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** What the operator wants this SVID used for. */
  readonly hint?: string;
}

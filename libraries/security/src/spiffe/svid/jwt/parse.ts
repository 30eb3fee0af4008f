import { SpiffeError } from '../../spiffe-error.ts';
import { readClaims } from './claims.ts';
import { readCompactJwt } from './compact.ts';
import type { JwtSvid } from './jwt-svid.ts';

/**
 * Reads a token without checking its signature or its time. Only for tokens that the Workload API itself has just
 * handed out to this workload; a token from a peer goes through `verifyJwtSvid`.
 * @param audience When given, the token must name all of them.
 * @throws SpiffeError the codes of `verifyJwtSvid` about form, header and claims, and `JWT_AUDIENCE_REFUSED`
 */
export function parseJwtSvidInsecure(
  token: string,
  audience?: string | readonly string[],
  options: { readonly hint?: string } = {},
): JwtSvid {
  const { svid } = readClaims(token, readCompactJwt(token), options.hint);
  const asked = typeof audience === 'string' ? [audience] : (audience ?? []);
  if (!asked.every((name) => svid.audience.includes(name))) {
    throw new SpiffeError('JWT_AUDIENCE_REFUSED', 'The JWT-SVID lacks an audience that was asked for');
  }
  return svid;
}

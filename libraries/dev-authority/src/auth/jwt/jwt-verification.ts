import { invalid } from '../../fault.ts';
import { audiencesOf, decodeSignedToken, isSignedBy, type SignedToken, type VerificationKey } from '../signed-token.ts';
import type { JwtConfig } from './jwt-config.ts';
import type { JwtRole } from './jwt-role.ts';

/** Defaults of Vault's JWT method for tokens that lack `exp` or `nbf`, and for clocks that differ. */
const DEFAULT_LEEWAY_SECONDS = 150;
const DEFAULT_SKEW_SECONDS = 60;

/** The claims of a token that the role accepts. */
export function verifyLogin(
  text: string,
  { config, role, keys, nowMs }: { config: JwtConfig; role: JwtRole; keys: readonly VerificationKey[]; nowMs: number },
): Readonly<Record<string, unknown>> {
  const token = decode(text);
  if (!isSignedBy(token, keys, config.supportedAlgorithms)) {
    throw refuse('error verifying token signature: no known key successfully validated the token signature');
  }
  const { claims } = token;
  checkTimes(claims, role, nowMs / 1000);
  if (config.boundIssuer !== '' && claims.iss !== config.boundIssuer) throw refuse('invalid issuer (iss) claim');
  if (role.boundSubject !== '' && claims.sub !== role.boundSubject) throw refuse('invalid subject (sub) claim');
  checkAudience(claims, role);
  checkBoundClaims(claims, role);
  return claims;
}

function decode(text: string): SignedToken {
  try {
    return decodeSignedToken(text);
  } catch (error) {
    throw refuse(`error verifying token signature: ${(error as Error).message}`);
  }
}

/** RFC 7519, sections 4.1.4 to 4.1.6; a token without `exp` gets one from `iat` or `nbf`, as Vault does. */
function checkTimes(claims: Readonly<Record<string, unknown>>, role: JwtRole, nowSeconds: number): void {
  const iat = timeOf(claims, 'iat');
  const nbf = timeOf(claims, 'nbf');
  const exp = timeOf(claims, 'exp');
  if (iat === undefined && nbf === undefined && exp === undefined) {
    throw refuse('no issued at (iat), not before (nbf), or expiration time (exp) claims in token');
  }
  const skew = given(role.leewaySeconds.clock, DEFAULT_SKEW_SECONDS);
  const expiresAt = exp ?? Math.max(iat ?? 0, nbf ?? 0) + given(role.leewaySeconds.expiration, DEFAULT_LEEWAY_SECONDS);
  const startsAt = nbf ?? iat ?? expiresAt - given(role.leewaySeconds.notBefore, DEFAULT_LEEWAY_SECONDS);
  if (nowSeconds > expiresAt + skew) throw refuse('invalid expiration time (exp) claim: token is expired');
  if (nowSeconds < startsAt - skew) throw refuse('invalid not before (nbf) claim: token not yet valid');
  if (iat !== undefined && nowSeconds < iat - skew)
    throw refuse('invalid issued at (iat) claim: token issued in the future');
}

/** 0 stands for the default, a negative number for none. */
function given(leewaySeconds: number, defaultSeconds: number): number {
  if (leewaySeconds < 0) return 0;
  return leewaySeconds === 0 ? defaultSeconds : leewaySeconds;
}

function timeOf(claims: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refuse(`the ${name} claim is not a number`);
  return value;
}

function checkAudience(claims: Readonly<Record<string, unknown>>, role: JwtRole): void {
  const audiences = audiencesOf(claims);
  if (role.boundAudiences.length === 0) {
    if (audiences.length > 0) {
      throw refuse('audience claim found in JWT but no audiences bound to the role');
    }
    return;
  }
  if (!audiences.some((audience) => role.boundAudiences.includes(audience))) {
    throw refuse('invalid audience (aud) claim: audience claim does not match any expected audience');
  }
}

function checkBoundClaims(claims: Readonly<Record<string, unknown>>, role: JwtRole): void {
  for (const [name, wanted] of Object.entries(role.boundClaims)) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    const actual = (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(String);
    const fits = (text: string, pattern: string): boolean =>
      role.boundClaimsType === 'glob' ? matchesGlob(text, pattern) : text === pattern;
    if (!actual.some((text) => wanted.some((pattern) => fits(text, pattern)))) {
      throw invalid(`error validating claims: claim "${name}" does not match any associated bound claim values`);
    }
  }
}

function matchesGlob(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

function refuse(rule: string): Error {
  return invalid(`error validating token: ${rule}`);
}

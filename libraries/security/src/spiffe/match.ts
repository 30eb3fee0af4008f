import { SpiffeId } from './spiffe-id.ts';
import { TrustDomain } from './trust-domain.ts';

/** Decides whether a verified peer may go on. */
export type SpiffeIdMatcher = (id: SpiffeId) => boolean;

/** Every verified ID of every trust domain whose bundle is held. */
export function matchAny(): SpiffeIdMatcher {
  return () => true;
}

export function matchId(expected: SpiffeId | string): SpiffeIdMatcher {
  return matchOneOf(expected);
}

/** With no ID it matches nobody. */
export function matchOneOf(...expected: readonly (SpiffeId | string)[]): SpiffeIdMatcher {
  const allowed = new Set(expected.map((id) => (typeof id === 'string' ? SpiffeId.parse(id) : id).toString()));
  return (id) => allowed.has(id.toString());
}

export function matchMemberOf(trustDomain: TrustDomain | string): SpiffeIdMatcher {
  const expected = typeof trustDomain === 'string' ? TrustDomain.parse(trustDomain) : trustDomain;
  return (id) => id.memberOf(expected);
}

// What a verifier of SVIDs needs and nothing that talks to an agent: no gRPC is loaded.
export type { JwtBundle, JwtBundleSource, JwtKey } from './bundle/jwt/jwt-bundle.ts';
export { parseJwtBundle } from './bundle/jwt/parse.ts';
export { parseSpiffeBundle } from './bundle/spiffe/parse.ts';
export type { SpiffeBundle } from './bundle/spiffe/spiffe-bundle.ts';
export { parseX509Bundle, type X509Bundle, type X509BundleSource } from './bundle/x509/x509-bundle.ts';
export { matchAny, matchId, matchMemberOf, matchOneOf, type SpiffeIdMatcher } from './match.ts';
export { SpiffeError, type SpiffeErrorCode } from './spiffe-error.ts';
export { SpiffeId } from './spiffe-id.ts';
export type { JwtSvid } from './svid/jwt/jwt-svid.ts';
export { JwtVerifier, type JwtVerifierOptions } from './svid/jwt/verifier.ts';
export { type JwtVerifyOptions, verifyJwtSvid } from './svid/jwt/verify.ts';
export {
  type RevocationPolicy,
  type VerifiedX509Svid,
  verifyX509Svid,
  type X509VerifyOptions,
} from './svid/x509/verify.ts';
export { TrustDomain } from './trust-domain.ts';

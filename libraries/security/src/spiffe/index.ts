export type { JwtBundle, JwtBundleSource, JwtKey } from './bundle/jwt/jwt-bundle.ts';
export { parseJwtBundle } from './bundle/jwt/parse.ts';
export { encodeBundleMap, parseBundleMap } from './bundle/spiffe/bundle-map.ts';
export { BundlePublisher, type BundlePublisherOptions } from './bundle/spiffe/bundle-publisher.ts';
export { encodeSpiffeBundle } from './bundle/spiffe/encode.ts';
export { MAX_BUNDLE_BYTES, parseSpiffeBundle } from './bundle/spiffe/parse.ts';
export { compareSequence, type SpiffeBundle } from './bundle/spiffe/spiffe-bundle.ts';
export { parseX509Bundle, type X509Bundle, type X509BundleSource } from './bundle/x509/x509-bundle.ts';
export { admitsFallback } from './fallback/admission.ts';
export type { FallbackSources } from './fallback/fallback-material.ts';
export type { FallbackText } from './fallback/fallback-text.ts';
export { FileSource, type FileSourceOptions } from './fallback/file-source.ts';
export { openWithFallback } from './fallback/open-with-fallback.ts';
export type {
  BundleEndpoint,
  SpiffeBundleEndpoint,
  WebBundleEndpoint,
} from './federation/bundle-endpoint.ts';
export type { BundleMetrics } from './federation/bundle-metrics.ts';
export {
  type BundleHandlerOptions,
  type BundleServerOptions,
  bundleHandler,
  bundleServer,
} from './federation/bundle-server.ts';
export {
  Federation,
  type FederationOptions,
  type Relationship,
  type RelationshipHealth,
} from './federation/federation.ts';
export { type FetchBundleOptions, fetchBundle } from './federation/fetch-bundle.ts';
export { type BundleWatchHandler, type WatchBundleOptions, watchBundle } from './federation/watch-bundle.ts';
export { matchAny, matchId, matchMemberOf, matchOneOf, type SpiffeIdMatcher } from './match.ts';
export { BundleSource, firstJwtBundleSource, firstX509BundleSource } from './source/bundle-source.ts';
export { JwtSource, type JwtSourceOptions, type JwtSvidRequest } from './source/jwt-source.ts';
export { type PickByHintOptions, pickByHint } from './source/pick-by-hint.ts';
export type { SourceHealth, SourceOptions } from './source/source-options.ts';
export { SpiffeManager, type SpiffeManagerOptions } from './source/spiffe-manager.ts';
export type { SpiffeMetrics, SvidLife, SvidType } from './source/spiffe-metrics.ts';
export { X509Source, type X509SourceOptions } from './source/x509-source.ts';
export { SpiffeError, type SpiffeErrorCode } from './spiffe-error.ts';
export { SpiffeId } from './spiffe-id.ts';
export type { JwtSvid } from './svid/jwt/jwt-svid.ts';
export { parseJwtSvidInsecure } from './svid/jwt/parse.ts';
export { JwtVerifier, type JwtVerifierOptions } from './svid/jwt/verifier.ts';
export { type JwtVerifyOptions, verifyJwtSvid } from './svid/jwt/verify.ts';
export { parseX509Svid, parseX509SvidPem, type X509SvidParts } from './svid/x509/parse.ts';
export { peerChain } from './svid/x509/peer-chain.ts';
export {
  type RevocationPolicy,
  type VerifiedX509Svid,
  verifyX509Svid,
  type X509VerifyOptions,
} from './svid/x509/verify.ts';
export type { X509Svid, X509SvidSource } from './svid/x509/x509-svid.ts';
export { TrustDomain } from './trust-domain.ts';
export {
  type CallControl,
  type WatchControl,
  WorkloadApiClient,
  type WorkloadApiClientOptions,
} from './workload-api/client.ts';
export { endpointTarget } from './workload-api/endpoint.ts';
export type { X509Context } from './workload-api/responses.ts';
export type { WatchHandler } from './workload-api/watch.ts';

export { agedChannels } from './aged-channels.ts';
export { type AuthFailureReason, type AuthMetrics, authFailureReasonOf } from './auth-metrics.ts';
export { callerOf } from './caller.ts';
export { type SpiffeChannelOptions, spiffeChannelCredentials } from './channel-credentials.ts';
export { type JwtSvidFetcher, jwtSvidInterceptor } from './jwt-svid-interceptor.ts';
export { type ListenSpiffeOptions, listenSpiffe, type SpiffeListener } from './listen-spiffe.ts';
export { peerInterceptor, peerOf } from './peer-interceptor.ts';
export { SpiffeAuthInterceptor, type SpiffeAuthOptions } from './spiffe-auth-interceptor.ts';

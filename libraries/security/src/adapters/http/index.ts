export { httpsServer } from './https-server.ts';
export { type JwtSvidFetcher, jwtSvidInterceptor } from './jwt-svid-interceptor.ts';
export { type SpiffeAgentOptions, spiffeAgent } from './spiffe-agent.ts';

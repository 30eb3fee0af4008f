export { type ConnectHttp2Options, connectHttp2, Http2Sessions } from './http2-client.ts';
export { http2Server } from './http2-server.ts';
export { type SpiffeHttpsAgentOptions, spiffeHttpsAgent } from './https-agent.ts';
export { httpsServer } from './https-server.ts';
export { type JwtSvidFetcher, jwtSvidInterceptor } from './jwt-svid-interceptor.ts';
export { type SpiffeAgentOptions, spiffeAgent } from './spiffe-agent.ts';

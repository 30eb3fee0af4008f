export { httpsServer } from './https-server.ts';
export { type SpiffeAgentOptions, spiffeAgent } from './spiffe-agent.ts';

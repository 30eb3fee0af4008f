export { type ConnectTlsOptions, connectTls } from './connect.ts';
export { guardedServerOptions, guardServer, type SpiffeServerOptions } from './guard.ts';
export { withBundles, type X509Identity } from './identity.ts';
export { type PeerRules, peerSpiffeId, peerX509Svid, verifyPeer } from './peer.ts';
export { secureContextOptions } from './secure-context.ts';
export { tlsServer } from './server.ts';

export { type ConnectTarget, type ConnectTlsOptions, connectTls } from './connect.ts';
export { type AgedConnection, ageLimit, type ConnectionAge } from './connection-age.ts';
export {
  guardedServerOptions,
  guardServer,
  type MutualServerRules,
  type OneSidedServerRules,
  type ServerRules,
  type SpiffeServerOptions,
  type WebServerRules,
} from './guard.ts';
export { withBundles, type X509Identity } from './identity.ts';
export { peerSpiffeId, peerX509Svid, verifyPeer } from './peer.ts';
export type { BundleRules, ClientRules, PeerRules, SvidRules, WebPki, WebPkiRules } from './rules.ts';
export { secureContextOptions } from './secure-context.ts';
export { type TlsServerOptions, tlsServer } from './server.ts';
export type { TrustLoss } from './trust-loss.ts';
export { WebCertificate, type WebCertificatePem } from './web-certificate.ts';

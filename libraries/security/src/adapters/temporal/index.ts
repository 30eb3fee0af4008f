export { rotateApiKey, type TemporalApiKeyConnection } from './api-key.ts';
export type { ConnectTemporal, ProbeOptions, TemporalConnection, TemporalMetadata } from './connection.ts';
export {
  RotatingConnection,
  type RotatingConnectionOptions,
  rotatingConnection,
  type TemporalClientConnection,
} from './rotating-connection.ts';
export {
  RotatingNativeConnection,
  type RotatingNativeConnectionOptions,
  rotatingNativeConnection,
  type TemporalWorker,
} from './rotating-native-connection.ts';
export { type TemporalTls, type TemporalTlsOptions, temporalTls } from './temporal-tls.ts';

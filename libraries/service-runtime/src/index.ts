export {
  type BoardEntry,
  type BoardReport,
  type CredentialDescription,
  type CredentialKind,
  type DrainGate,
  type ListedCredential,
  type LoadPace,
  type LoadStatistics,
  type OperationContext,
  type RotationLike,
  type RotationRecord,
  type RotationTotals,
  totalsOf,
} from './board-entry.ts';
export { ConfigError, type Environment, field, readConfig, readParts, withDefaults } from './config.ts';
export { CredentialBoard, type CredentialBoardOptions } from './credential-board.ts';
export { type ListeningServer, listenHttp, pathOf, readBody, sendError, sendJson } from './http-server.ts';
export { type IdentityOptions, openIdentity, type ServiceIdentity } from './identity.ts';
export { type InjectedSecretOptions, injectedSecret, readInjected } from './injected-secret.ts';
export { JwtSvidCache, type JwtSvidCacheOptions } from './jwt-svid-cache.ts';
export { kafkaClientConfig } from './kafka/kafka-client-config.ts';
export {
  type KafkaReading,
  type KafkaRecord,
  type Problem,
  readKafkaRecord,
  unreadableOf,
} from './kafka/kafka-reading.ts';
export { KafkaSendError, type KafkaSendErrorCode, KafkaSender } from './kafka/kafka-sender.ts';
export { type KafkaSettings, kafkaSettings } from './kafka/kafka-settings.ts';
export { LastingConsumer, type LastingConsumerOptions } from './kafka/lasting-consumer.ts';
export { createLogger, type Logger, type LoggerOptions, REDACTED_PATHS, scrubSecrets } from './logger.ts';
export { type ManagementServer, type ManagementServerOptions, managementServer } from './management-server.ts';
export {
  type Check,
  type CheckResult,
  type ObservabilityServerOptions,
  observabilityServer,
} from './observability-server.ts';
export { type OpenVaultOptions, openVault, type ServiceVault } from './open-vault.ts';
export { watchParent } from './parent-watch.ts';
export { ResourceStack, withResources } from './resource-stack.ts';
export { type RotatingEntryOptions, rotatingEntry } from './rotating-entry.ts';
export {
  type OpenService,
  runService,
  SERVICE_EXIT,
  type ServiceContext,
  type ServiceDefinition,
} from './run-service.ts';
export { type SecuritySettings, securitySettings } from './security-settings.ts';
export { type SecurityParts, SecurityState, type SecurityStateOptions } from './security-state.ts';
export { createServiceMetrics, type ServiceMetrics } from './service-metrics.ts';
export { type VaultTokenEntryOptions, vaultTokenEntry } from './vault-token-entry.ts';
export { type ObservedX509Source, type X509EntryOptions, x509Entry } from './x509-entry.ts';

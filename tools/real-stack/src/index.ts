export { cacheFolder } from './cache-folder.ts';
export { COMPONENTS, type Component } from './components.ts';
export { ETCD_VERSION, installEtcd } from './etcd/install.ts';
export { type EtcdServer, type StartEtcdOptions, startEtcd } from './etcd/start.ts';
export { FERRETDB_VERSION, installFerretDb } from './ferretdb/install.ts';
export { type FerretDbServer, type StartFerretDbOptions, startFerretDb } from './ferretdb/start.ts';
export { freePort } from './free-port.ts';
export { buildGo, type GoBuild, type GoBuildOptions } from './go/build.ts';
export {
  type GoPeerOptions,
  type GoPeerServer,
  runGoPeer,
  startGoPeer,
} from './go-peer/go-peer.ts';
export { installGoPeer } from './go-peer/install.ts';
export { GuardedProcess, type GuardedProcessOptions } from './guarded-process.ts';
export { HVAC_VERSION, installHvac } from './hvac/install.ts';
export { type BuildImageOptions, type BuiltImage, buildImage } from './images/build-image.ts';
export { machineNpm } from './images/machine-npm.ts';
export { INFRASTRUCTURE_TOOLS, type InfrastructureTool, installTool, toolVersion } from './infra/tools.ts';
export { withoutInstalling } from './install-lock.ts';
export { filesHash, type Installation, installed } from './installation.ts';
export {
  installKafka,
  installPlatformaticKafka,
  KAFKA_VERSION,
  type KafkaInstallOptions,
  PLATFORMATIC_KAFKA_VERSION,
} from './kafka/install.ts';
export { KafkaPlatform, type KafkaPlatformOptions } from './kafka/platform.ts';
export { type KafkaServer, type StartKafkaOptions, startKafka } from './kafka/start.ts';
export { type KafkaUserRight, kafkaTemplateUser, makeTopicsAndRights } from './kafka/topics-and-rights.ts';
export type { CallOptions, KubernetesApi, ServiceAccountTokenRequest } from './kubernetes/api.ts';
export { installKubernetes, KUBERNETES_VERSION } from './kubernetes/install.ts';
export { KubernetesCluster, type StartKubernetesOptions, startKubernetes } from './kubernetes/start.ts';
export { installMoto, MOTO_VERSION } from './moto/install.ts';
export { type AwsCredentials, type MotoServer, type StartMotoOptions, startMoto } from './moto/start.ts';
export { installNodes } from './nodes/install.ts';
export { type OpaServer, type StartOpaOptions, startOpa } from './opa/start.ts';
export { type InstallOptions, installOpenBao, OPEN_BAO_VERSION, OPEN_BAO_WITH_AWSKMS } from './open-bao/install.ts';
export { type OpenBaoServer, type StartOpenBaoOptions, startOpenBao } from './open-bao/start.ts';
export {
  type InitialisedVault,
  type OpenBaoHealth,
  type StartUnsealingOptions,
  UnsealingOpenBao,
} from './open-bao/unsealing.ts';
export { type StartTlsPostgresOptions, startTlsPostgres, type TlsPostgres } from './postgres/start.ts';
export { RealStackError, type RealStackErrorCode } from './real-stack-error.ts';
export { type InstallRedisOptions, installRedis, REDIS_VERSION } from './redis/install.ts';
export { type RedisServer, type StartRedisOptions, startRedis } from './redis/start.ts';
export type { SpireKeyType, SpireSettings } from './spire/configuration.ts';
export { installSpire, SPIRE_VERSION } from './spire/install.ts';
export { type SpireEntry, SpireServerCommands } from './spire/server-commands.ts';
export { type OidcProvider, type SpireStack, type StartSpireOptions, startSpire } from './spire/start.ts';
export type { TemporalStore } from './temporal/configuration.ts';
export { prepareTemporalDatabase, type TemporalDatabase } from './temporal/database.ts';
export { installTemporal, installTemporalSdk, TEMPORAL_SDK_VERSION, TEMPORAL_VERSION } from './temporal/install.ts';
export { type StartTemporalOptions, startTemporal, type TemporalServer } from './temporal/start.ts';

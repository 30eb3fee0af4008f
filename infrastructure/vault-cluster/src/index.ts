export { ClusterError, type ClusterErrorCode } from './cluster-error.ts';
export { type KeyStore, secretsManagerStore } from './init/key-store.ts';
export { type RunInitOptions, runInit } from './init/run-init.ts';
export { processesNamed } from './process/signal.ts';
export { type ClusterSettings, type InitSettings, readSettings, type Settings, settingsSchema } from './settings.ts';
export { clusterSetup, SNAPSHOT_POLICY, SNAPSHOT_ROLE } from './setup/cluster-setup.ts';
export { BOOTSTRAP_ROLE, runBootstrap } from './setup/run-bootstrap.ts';
export { type SnapshotSummary, verifySnapshot } from './snapshot/verify.ts';

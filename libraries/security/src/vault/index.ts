export { type AppRoleAuthOptions, appRoleAuth } from './auth/app-role.ts';
export type { LoginContext, VaultAuth } from './auth/auth.ts';
export { type CertAuthOptions, certAuth } from './auth/cert.ts';
export { type JwtAuthOptions, type JwtSvidProvider, jwtAuth } from './auth/jwt.ts';
export { type KubernetesAuthOptions, kubernetesAuth } from './auth/kubernetes.ts';
export { tokenAuth } from './auth/token.ts';
export { type TokenReplacement, VaultClient, type VaultHealth } from './client.ts';
export type { ClientCertificate, ClientIdentity } from './client-certificate.ts';
export type { VaultCall, VaultMethod } from './dispatch.ts';
export type { DatabaseCredential, DatabaseEngine, StaticDatabaseCredential } from './engines/database.ts';
export type { KvConfig, KvEngine, KvMetadata, KvMetadataChange, KvSecret, KvVersion } from './engines/kv.ts';
export type { IssuedCertificate, PkiEngine, PkiKeyType, PkiRequest, SignedPkiCertificate } from './engines/pki.ts';
export type { PlainKvEngine, PlainSecret } from './engines/plain-kv.ts';
export type { MountSettings, MountTable, SealStatus, ServerHealth, ServerState, SysEngine } from './engines/sys.ts';
export type {
  TransitCipherOptions,
  TransitEngine,
  TransitInput,
  TransitKey,
  TransitKeyOptions,
  TransitKeySettings,
  TransitSignOptions,
} from './engines/transit.ts';
export type { WrappingEngine, WrappingLookup } from './engines/wrapping.ts';
export type { AuthBlock, VaultEnvelope, WrapInfo } from './envelope.ts';
export { isVaultError, type TimeoutPhase, VaultError, type VaultErrorCode, type VaultErrorDetails } from './errors.ts';
export { FailOpen, type FailOpenMetrics, type FailOpenOptions } from './fail-open.ts';
export type { Lease, LeaseEnding, LeaseEvent, LeaseInfo, LeaseOptions, LeaseState } from './lease/lease.ts';
export { LeaseJournal, type LeaseJournalOptions, type LeaseSweep } from './lease/lease-journal.ts';
export type { LeaseRegistry } from './lease/lease-registry.ts';
export { extendedFully, type Lifetime, type RenewalPointOptions, renewalPointMs } from './lifetime.ts';
export { type BreakerState, type Logger, silentLogger, type VaultMetrics, type VaultObservation } from './observe.ts';
export type { VaultClientOptions } from './options.ts';
export { repeatDelayMs, spreadDelayMs } from './retry-delay.ts';
export type { TokenReplacementReason, VaultToken } from './token/token-record.ts';
export type { CaSource } from './transport.ts';

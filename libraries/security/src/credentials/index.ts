export type {
  CredentialConsumer,
  CredentialProvider,
  DrainOptions,
  Generation,
  Issued,
  ObtainOptions,
  RotationOutcome,
  RotationReason,
  SupersededReason,
} from './credential.ts';
export type { CredentialMetrics, RotationTimes } from './credential-metrics.ts';
export { databaseCredentials } from './database-credentials.ts';
export { CredentialError, type CredentialErrorCode, KvUserError, type KvUserErrorCode } from './errors.ts';
export { type FileSecretOptions, fileSecret } from './file-secret.ts';
export { type KvSecretOptions, kvSecret } from './kv-secret.ts';
export { type PkiCertificateOptions, pkiCertificate } from './pki-certificate.ts';
export type { ResourceHold } from './resource-generation.ts';
export { type KvUserRotation, type KvUserStep, type RotateKvUserOptions, rotateKvUser } from './rotate-kv-user.ts';
export { RotatingCredential, type RotatingCredentialOptions } from './rotating-credential.ts';
export { type ResourceFactory, RotatingResource, type RotatingResourceOptions } from './rotating-resource.ts';
export { type SecurityHealth, type SecurityHealthParts, securityHealth } from './security-health.ts';
export { type StaticRoleOptions, staticRole } from './static-role.ts';
export { parseLogin, type StoredLogin } from './stored-login.ts';
export { type SvidIdentity, svidCredential } from './svid-credential.ts';
export type { UserAdmin } from './user-admin.ts';

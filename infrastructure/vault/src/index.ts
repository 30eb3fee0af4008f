export { type ApplyOptions, applyVaultSetup } from './apply/apply-setup.ts';
export type { SetupReport } from './apply/report.ts';
export type { VaultRequester } from './apply/requester.ts';
export { SetupError, type SetupErrorCode } from './apply/setup-error.ts';
export { createAnnouncementUser, dropAnnouncementUser } from './database/announcement-users.ts';
export {
  type BootstrapOptions,
  type BootstrapOutcome,
  databaseBootstrap,
  type SuperuserConnection,
} from './database/bootstrap.ts';
export { REVOCATION_STATEMENTS } from './setup/database.ts';
export * from './setup/names.ts';
export {
  EMBEDDED_LIFETIMES,
  type Lifetimes,
  PRODUCTION_LIFETIMES,
  type SetupParameters,
  setupParameters,
} from './setup/parameters.ts';
export { platformSetup } from './setup/platform-setup.ts';
export { POLICIES } from './setup/policies.ts';
export {
  type Capability,
  type Entry,
  type Fields,
  type Mount,
  type PathRule,
  type Policy,
  renderPolicy,
  type VaultSetup,
} from './setup/setup.ts';

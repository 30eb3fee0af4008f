export { AuthorityError, type AuthorityErrorCode } from './authority-error.ts';
export { type DevAuthorityConfig, devAuthorityConfig, type ResolvedConfig, type WorkloadConfig } from './config.ts';
export { DevAuthority, type DevAuthorityOptions } from './dev-authority.ts';

export { CONNECTION_CALLERS, METHOD_CALLERS, METHOD_EXCEPTIONS } from './api/auth-table.ts';
export { openRegistryService } from './composition.ts';
export { type RegistryConfig, registryConfig } from './config.ts';

export { ConfigError, type Environment, field, readConfig, readParts, withDefaults } from './environment.ts';
export { SecurityConfig } from './security-config.ts';
export { SpiffeConfig } from './spiffe-config.ts';
export { type Variable, variableTable } from './variable-table.ts';
export { VaultConfig, type VaultLogin } from './vault-config.ts';

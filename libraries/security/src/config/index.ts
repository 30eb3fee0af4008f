export { ConfigError, field, readConfig } from './environment.ts';
export { SpiffeConfig } from './spiffe-config.ts';
export { type Variable, variableTable } from './variable-table.ts';

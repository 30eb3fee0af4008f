export { ConfigError, field, readConfig } from '@neural-hive/security/config';

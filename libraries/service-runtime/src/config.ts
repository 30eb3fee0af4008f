export {
  ConfigError,
  type Environment,
  field,
  readConfig,
  readParts,
  withDefaults,
} from '@neural-hive/security/config';

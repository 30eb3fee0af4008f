import { type VaultConfig as Vault, VaultConfig } from '@neural-hive/security/config';
import {
  ConfigError,
  type Environment,
  field,
  readConfig,
  readParts,
  withDefaults,
} from '@neural-hive/service-runtime';
import { z } from 'zod';

const environment = z.object({
  POSTGRES_HOST: field.text(),
  POSTGRES_PORT: field.port().default(5_432),
  POSTGRES_DATABASE: field.text().default('neural_hive'),
  /** Not for a Unix socket, which TLS does not protect. */
  POSTGRES_SSL_MODE: z.enum(['disable', 'verify-full']).default('verify-full'),
});

/** The Vault role that leases the migrators. */
export const MIGRATOR_ROLE = 'schema-migrator';

export interface MigrationConfig {
  readonly vault: Vault;
  readonly postgres: { readonly host: string; readonly port: number; readonly database: string; readonly tls: boolean };
}

/**
 * The variables above, and those of `VaultConfig`.
 * @throws ConfigError with every problem
 */
export function migrationConfig(env: Environment = process.env): MigrationConfig {
  const { read, vault } = readParts({
    read: () => readConfig(environment, env),
    vault: () => VaultConfig.fromEnv(withDefaults(env, { VAULT_KUBERNETES_ROLE: MIGRATOR_ROLE })),
  });
  const { method } = vault.login;
  if (method !== 'kubernetes' && !(method === 'jwt' && vault.login.tokenFile !== undefined)) {
    throw new ConfigError([
      `VAULT_AUTH_METHOD: ${method} is not for a job: use kubernetes, or jwt with VAULT_TOKEN_PATH`,
    ]);
  }
  const { POSTGRES_HOST: host, POSTGRES_PORT: port, POSTGRES_DATABASE: database } = read;
  const tls = !host.startsWith('/') && read.POSTGRES_SSL_MODE === 'verify-full';
  return { vault, postgres: { host, port, database, tls } };
}

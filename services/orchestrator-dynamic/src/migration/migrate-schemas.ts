import { readFile } from 'node:fs/promises';
import { migratorRole, SCHEMAS } from '@neural-hive/contracts';
import { type Logger, silentLogger } from '@neural-hive/security/common';
import { jwtAuth, kubernetesAuth, type VaultAuth, VaultClient } from '@neural-hive/security/vault';
import pg from 'pg';
import { type MigrationOutcome, runMigrations } from '../adapters/postgres/run-migrations.ts';
import type { MigrationConfig } from './migration-config.ts';

export interface MigrateOptions {
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
}

function authOf({ vault: { login } }: MigrationConfig): VaultAuth {
  if (login.method === 'kubernetes') return kubernetesAuth(login);
  if (login.method !== 'jwt' || login.tokenFile === undefined) throw new TypeError('vault.login: needs a token file');
  const { role, mount, tokenFile } = login;
  return jwtAuth({ role, mount, fetchToken: async () => (await readFile(tokenFile, 'utf8')).trim() });
}

/**
 * Brings every schema up to date, each with a login that is leased for it and given back at once. What is up to date
 * stays as it is; two that run at a time take turns.
 */
export async function migrateSchemas(
  config: MigrationConfig,
  { logger = silentLogger, signal }: MigrateOptions = {},
): Promise<readonly MigrationOutcome[]> {
  const { vault, postgres } = config;
  await using client = await VaultClient.open({
    address: vault.address,
    auth: authOf(config),
    requestTimeoutMs: vault.requestTimeoutMs,
    maxRetries: vault.maxRetries,
    ...(vault.ca !== undefined && { ca: vault.ca }),
    ...(vault.namespace !== undefined && { namespace: vault.namespace }),
    logger,
    ...(signal !== undefined && { signal }),
  });
  const outcomes: MigrationOutcome[] = [];
  for (const schema of SCHEMAS) {
    const lease = await client.database(vault.mounts.database).credentials(migratorRole(schema));
    try {
      const { host, port, database, tls } = postgres;
      const { username: user, password } = lease.value;
      const login = { user, password: password.reveal(), application_name: `migration of ${schema}` };
      outcomes.push(await withSession({ host, port, database, ...(tls && { ssl: true }), ...login }, schema));
    } finally {
      await lease.revoke();
    }
  }
  return outcomes;
}

async function withSession(place: pg.ClientConfig, schema: (typeof SCHEMAS)[number]): Promise<MigrationOutcome> {
  const session = new pg.Client(place);
  // The session's end shows at the next query; unheard, it would end the process.
  session.on('error', () => undefined);
  try {
    await session.connect();
    return await runMigrations(session, schema);
  } finally {
    await session.end().catch(() => undefined);
  }
}

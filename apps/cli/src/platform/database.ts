import { migratorRole, SCHEMAS } from '@neural-hive/contracts';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { runMigrations } from '@neural-hive/orchestrator-dynamic';
import type { VaultClient } from '@neural-hive/security/vault';
import pg from 'pg';
import { environmentFailure } from '../failure.ts';
import type { Home } from './home.ts';

export const DATABASE = 'neural_hive';

/** The server's own name for its superuser stays inside the supervisor; nothing else can log in as it. */
export async function startDatabase(home: Home, log: (line: string) => void): Promise<EmbeddedPostgres> {
  try {
    return await startPostgres({
      dataFolder: home.postgres,
      socketFolder: home.postgresSockets,
      database: DATABASE,
      log,
    });
  } catch (error) {
    throw environmentFailure(error instanceof Error ? error.message : String(error), error);
  }
}

export async function withSuperuser<T>(
  postgres: EmbeddedPostgres,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    host: postgres.socketFolder,
    port: postgres.port,
    database: postgres.database,
    user: postgres.superuser.user,
    password: postgres.superuser.password,
  });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A login that was leased for one job and given back. */
export interface JobCredential {
  readonly name: string;
  readonly generation: 1;
  readonly ttlSeconds: number;
}

/** Brings every schema up to date with a login that is leased for it and given back at once. Answers which. */
export async function migrate(postgres: EmbeddedPostgres, vault: VaultClient): Promise<readonly JobCredential[]> {
  const used: JobCredential[] = [];
  for (const schema of SCHEMAS) {
    const lease = await vault.database().credentials(migratorRole(schema));
    const client = new pg.Client({
      host: postgres.socketFolder,
      port: postgres.port,
      database: postgres.database,
      user: lease.value.username,
      password: lease.value.password.reveal(),
    });
    try {
      await client.connect();
      await runMigrations(client, schema);
    } finally {
      await client.end();
      await lease.revoke();
    }
    const ttlSeconds = Math.round((lease.expiresAtMs - lease.issuedAtMs) / 1000);
    used.push({ name: `hive/database/${migratorRole(schema)}`, generation: 1, ttlSeconds });
  }
  return used;
}

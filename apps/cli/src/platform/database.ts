import { migratorRole, SCHEMAS } from '@neural-hive/contracts';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import { runMigrations } from '@neural-hive/orchestrator-dynamic';
import { Secret } from '@neural-hive/security/common';
import type { VaultClient } from '@neural-hive/security/vault';
import pg from 'pg';
import { environmentFailure } from '../failure.ts';
import type { Home } from './home.ts';
import { superviseDatabase } from './supervised-database.ts';

export const DATABASE = 'neural_hive';

/** The server's own name for its superuser stays inside the supervisor; nothing else can log in as it. */
export async function startDatabase(home: Home, onRestart: (why: string) => void): Promise<EmbeddedPostgres> {
  try {
    return await superviseDatabase(
      { dataFolder: home.postgres, socketFolder: home.postgresSockets, database: DATABASE },
      onRestart,
    );
  } catch (error) {
    throw environmentFailure(error instanceof Error ? error.message : String(error), error);
  }
}

/** Works in one session of its own. */
export async function withLogin<T>(
  { socketFolder: host, port, database }: Pick<EmbeddedPostgres, 'socketFolder' | 'port' | 'database'>,
  { username: user, password }: { readonly username: string; readonly password: Secret<string> },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ host, port, database, user, password: password.reveal() });
  // The session's end shows at the next query; unheard, it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

export function withSuperuser<T>(postgres: EmbeddedPostgres, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const { user: username, password } = postgres.superuser;
  return withLogin(postgres, { username, password: new Secret(password) }, work);
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
    try {
      await withLogin(postgres, lease.value, (client) => runMigrations(client, schema));
    } finally {
      await lease.revoke();
    }
    const ttlSeconds = Math.round((lease.expiresAtMs - lease.issuedAtMs) / 1000);
    used.push({ name: `hive/database/${migratorRole(schema)}`, generation: 1, ttlSeconds });
  }
  return used;
}

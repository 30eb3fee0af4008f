import { existsSync, readFileSync } from 'node:fs';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import { TEMPORAL_LOGIN, VAULT_ADMIN } from '@neural-hive/vault-setup';
import { withSuperuser } from './database.ts';

/** With it OpenBao sets the password of Temporal's login, and does nothing else. */
export const TEMPORAL_ADMIN = 'vault_temporal';

/** The logins that may be there when nothing runs: everything else was leased or made for a run. */
const LASTING_LOGINS = [VAULT_ADMIN, TEMPORAL_ADMIN, TEMPORAL_LOGIN];

/** Counts, as the database sees it, the logins that were leased and the sessions of such logins. */
export async function countDatabaseLeftovers(postgres: EmbeddedPostgres): Promise<{ roles: number; sessions: number }> {
  const { user } = postgres.superuser;
  return withSuperuser(postgres, async (client) => {
    const { rows } = await client.query<{ roles: number; sessions: number }>(
      `SELECT (SELECT count(*)::int FROM pg_roles
                WHERE rolcanlogin AND NOT rolsuper AND rolname <> ALL ($1)) AS roles,
              (SELECT count(*)::int FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                  AND usename IS DISTINCT FROM $2 AND usename <> ALL ($1)) AS sessions`,
      [LASTING_LOGINS, user],
    );
    return rows[0] ?? { roles: 0, sessions: 0 };
  });
}

/** Leases that the audit log saw made and not end, all of them or those whose path begins so. It holds no id of a lease, but a digest. */
export function countOpenLeases(auditFile: string, path = ''): number {
  if (!existsSync(auditFile)) return 0;
  const open = new Set<string>();
  for (const line of readFileSync(auditFile, 'utf8').split('\n')) {
    if (!line.includes('"event":"lease.')) continue;
    const { event, lease_id: lease, path: madeAt } = JSON.parse(line) as Record<'event' | 'lease_id' | 'path', string>;
    if (event === 'lease.created' && madeAt.startsWith(path)) open.add(lease);
    if (event === 'lease.revoked') open.delete(lease);
  }
  return open.size;
}

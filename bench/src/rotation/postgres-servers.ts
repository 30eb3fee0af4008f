import { startPostgres } from '@neural-hive/embedded-postgres';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import pg from 'pg';
import { startAuthority } from './authority-process.ts';

export const DATABASE_ROLE = 'bench';

export interface PostgresServers {
  readonly vault: VaultClient;
  readonly connection: { readonly host: string; readonly port: number; readonly database: string };
  /** Sessions whose role has been dropped. */
  orphanSessions(): Promise<number>;
  close(): Promise<void>;
}

/** A PostgreSQL and a Vault that makes its logins; revocation disables the role, ends its sessions and drops it. */
export async function startPostgresServers(): Promise<PostgresServers> {
  const [server, authority] = await Promise.all([startPostgres(), startAuthority()]);
  const { socketFolder: host, port, database, superuser } = server;
  const { address, caPem: ca, rootToken: token } = authority;
  const vault = await VaultClient.open({ address, ca, auth: tokenAuth({ token }) });
  const observer = new pg.Pool({ host, port, database, ...superuser, max: 1 });
  await observer.query(
    'CREATE TABLE bench_rows (note text); CREATE ROLE bench_rw NOLOGIN; GRANT ALL ON bench_rows TO bench_rw',
  );
  await vault.sys.mounts.enable('database', { type: 'database' });
  const write = (path: string, body: Record<string, unknown>) => vault.request({ method: 'POST', path, body });
  await write('database/config/bench', {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: [DATABASE_ROLE],
    connection_url: `postgresql://{{username}}:{{password}}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    username: superuser.user,
    password: superuser.password,
  });
  await write(`database/roles/${DATABASE_ROLE}`, {
    db_name: 'bench',
    default_ttl: 600,
    max_ttl: 3600,
    creation_statements: [
      `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE bench_rw INHERIT`,
    ],
    revocation_statements: [
      'ALTER ROLE "{{name}}" NOLOGIN',
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = \'"{{name}}"\'::regrole',
      'DROP ROLE "{{name}}"',
    ],
  });
  return {
    vault,
    connection: { host, port, database },
    async orphanSessions() {
      const { rows } = await observer.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity
          WHERE usesysid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_roles WHERE oid = usesysid)`,
      );
      return rows[0]?.count ?? -1;
    },
    async close() {
      await vault.close();
      await observer.end();
      await authority.close();
      await server.stop();
    },
  };
}

import { tokenAuth, VaultClient } from '@neural-hive/security/vault';

/** What an administrator sets up once: a database role `reader`, whose logins live for `ttlSeconds` and no longer. */
export async function makeReaderRole({ address, caFile, rootToken, postgres }, ttlSeconds) {
  const vault = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token: rootToken }) });
  const { host, port, database, user, password } = postgres;
  await vault.sys.mounts.enable('database', { type: 'database' });
  const write = (path, body) => vault.request({ method: 'POST', path, body });
  await write('database/config/main', {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: ['reader'],
    connection_url: `postgresql://{{username}}:{{password}}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    username: user,
    password,
  });
  await write('database/roles/reader', {
    db_name: 'main',
    default_ttl: ttlSeconds,
    max_ttl: ttlSeconds,
    creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`],
    revocation_statements: [
      'ALTER ROLE "{{name}}" NOLOGIN',
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = \'"{{name}}"\'::regrole',
      'DROP ROLE "{{name}}"',
    ],
  });
  await vault.close();
}

import { type ClientBase, escapeIdentifier } from 'pg';
import { fillStatement } from './statements.ts';

/**
 * Takes the login away. Without statements of its own a role is stripped of what it was granted in this database and
 * dropped. A login that is gone already counts as revoked: after a crash between the two the revocation is repeated.
 */
export async function revokeLogin(client: ClientBase, name: string, statements: readonly string[]): Promise<void> {
  const found = await client.query('SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1', [name]);
  if (found.rowCount === 0) return;
  if (statements.length > 0) {
    for (const statement of statements) await client.query(fillStatement(statement, { name }));
    return;
  }
  const login = escapeIdentifier(name);
  const schemas = await client.query<{ schema: string }>(
    'SELECT DISTINCT table_schema AS schema FROM information_schema.role_column_grants WHERE grantee = $1',
    [name],
  );
  for (const { schema } of schemas.rows) {
    const quoted = escapeIdentifier(schema);
    await client.query(`REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA ${quoted} FROM ${login}`);
    await client.query(`REVOKE USAGE ON SCHEMA ${quoted} FROM ${login}`);
  }
  await client.query(`REVOKE USAGE ON SCHEMA public FROM ${login}`);
  const database = await client.query<{ name: string }>('SELECT current_database() AS name');
  await client.query(`REVOKE CONNECT ON DATABASE ${escapeIdentifier(database.rows[0]?.name ?? '')} FROM ${login}`);
  await client.query(`DROP ROLE IF EXISTS ${login}`);
}

import { randomBytes } from 'node:crypto';
import { Secret } from '@neural-hive/security/common';
import { VAULT_ADMIN } from '../setup/names.ts';
import { type BootstrapStep, bootstrapSteps } from './bootstrap-steps.ts';

/** What the bootstrap needs of a connection: a `pg.Client` that is logged in as a superuser of the database is one. */
export interface SuperuserConnection {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

export interface BootstrapOptions {
  /**
   * Gives `vault_admin` a new password even when the login exists, for an engine that has lost the old one. Without
   * it the password is set only when the login is made. Default false.
   */
  readonly newAdminPassword?: boolean;
}

export interface BootstrapOutcome {
  /** What was missing and is there now; empty at a second call. */
  readonly changed: readonly string[];
  readonly vaultAdmin: {
    readonly username: string;
    /** Only when it was set by this call. Hand it to the database engine and forget it: it is stored nowhere else. */
    readonly password: Secret<string> | undefined;
  };
}

async function holds(connection: SuperuserConnection, step: BootstrapStep): Promise<boolean> {
  const [row] = (await connection.query(step.check)).rows as { holds: boolean }[];
  return row?.holds === true;
}

/** The password goes as a value, never as text of a statement, and the server keeps its SCRAM verifier. */
async function setAdminPassword(connection: SuperuserConnection, password: Secret<string>): Promise<void> {
  await connection.query(`SELECT set_config('neural_hive.password', $1, true)`, [password.reveal()]);
  await connection.query(
    `DO $$ BEGIN EXECUTE format('ALTER ROLE ${VAULT_ADMIN} PASSWORD %L', current_setting('neural_hive.password')); END $$`,
  );
}

/**
 * Makes what leased logins stand on: NOLOGIN owners and groups, schemas, closed default privileges, and the login
 * that the database engine uses. All in one transaction; a second call changes nothing.
 */
export async function databaseBootstrap(
  connection: SuperuserConnection,
  options: BootstrapOptions = {},
): Promise<BootstrapOutcome> {
  const changed: string[] = [];
  let password: Secret<string> | undefined;
  await connection.query('BEGIN');
  try {
    // Two platforms that start at once take turns.
    await connection.query(`SELECT pg_advisory_xact_lock(hashtextextended('neural-hive bootstrap', 0))`);
    await connection.query(`SET LOCAL password_encryption = 'scram-sha-256'`);
    const [version] = (await connection.query(`SELECT current_setting('server_version_num')::int / 10000 AS major`))
      .rows as { major: number }[];
    for (const step of bootstrapSteps(version?.major ?? 0)) {
      if (await holds(connection, step)) continue;
      for (const statement of step.statements) await connection.query(statement);
      changed.push(step.name);
    }
    if (options.newAdminPassword === true || changed.includes(`login ${VAULT_ADMIN}`)) {
      password = new Secret(randomBytes(24).toString('base64url'));
      await setAdminPassword(connection, password);
      changed.push(`password of ${VAULT_ADMIN}`);
    }
    await connection.query('COMMIT');
  } catch (error) {
    await connection.query('ROLLBACK');
    throw error;
  }
  return { changed, vaultAdmin: { username: VAULT_ADMIN, password } };
}

import { createHash } from 'node:crypto';
import { SCHEMAS, type SchemaName } from '@neural-hive/contracts';
import { NeuralHiveError } from '@neural-hive/security/common';
import type { ClientBase } from 'pg';
import { MIGRATIONS, type Migration } from './migrations/index.ts';

export type MigrationErrorCode = 'migration_changed' | 'migration_unknown';

/** The database was migrated by other files than these. */
export class MigrationError extends NeuralHiveError<MigrationErrorCode> {}

export interface MigrationOutcome {
  readonly schema: SchemaName;
  /** The names that this call applied; empty when the schema was up to date. */
  readonly applied: readonly string[];
}

/**
 * Brings one schema up to date: every missing migration in order, each in its own transaction, under an advisory lock,
 * as `<schema>_owner` so that the owner and not the leased login owns the objects. Run `tickets` before `releases`:
 * the history is a view over tickets. Throws `MigrationError` when an applied migration was edited or is unknown here.
 */
export async function runMigrations(
  client: ClientBase,
  schema: SchemaName,
  migrations: readonly Migration[] = MIGRATIONS[schema],
): Promise<MigrationOutcome> {
  if (!SCHEMAS.includes(schema)) throw new TypeError(`schema must be one of ${SCHEMAS.join(', ')}`);
  const lock = `neural-hive migrations ${schema}`;
  await client.query(`set role ${schema}_owner`);
  try {
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [lock]);
    try {
      return { schema, applied: await applyMissing(client, schema, migrations) };
    } finally {
      await client.query('select pg_advisory_unlock(hashtextextended($1, 0))', [lock]);
    }
  } finally {
    await client.query('reset role');
  }
}

async function applyMissing(client: ClientBase, schema: SchemaName, migrations: readonly Migration[]) {
  await client.query(`create table if not exists ${schema}.migration (
    name text primary key, sha256 text not null, applied_at timestamptz not null default clock_timestamp())`);
  const rows = await client.query<{ name: string; sha256: string }>(`select name, sha256 from ${schema}.migration`);
  const applied = new Map(rows.rows.map(({ name, sha256 }) => [name, sha256]));
  assertKnown(schema, applied, migrations);
  const done: string[] = [];
  for (const migration of migrations) {
    if (applied.has(migration.name)) continue;
    await applyOne(client, schema, migration);
    done.push(migration.name);
  }
  return done;
}

function assertKnown(schema: SchemaName, applied: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  for (const [name, sha256] of applied) {
    const ours = migrations.find((migration) => migration.name === name);
    if (ours === undefined) {
      throw new MigrationError(
        'migration_unknown',
        `Schema ${schema} holds migration ${name}, which this version does not have: run the version that made it`,
      );
    }
    if (checksum(ours) !== sha256) {
      throw new MigrationError(
        'migration_changed',
        `Migration ${schema}/${name} was edited after it was applied: restore it and add a new one`,
      );
    }
  }
}

async function applyOne(client: ClientBase, schema: SchemaName, migration: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(migration.sql);
    await client.query(`insert into ${schema}.migration (name, sha256) values ($1, $2)`, [
      migration.name,
      checksum(migration),
    ]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

function checksum(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex');
}

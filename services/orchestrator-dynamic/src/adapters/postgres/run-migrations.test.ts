import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { runMigrations } from './run-migrations.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await startTestDatabase({ migrate: false });
  client = await database.connect();
});

afterAll(async () => {
  await client?.end();
  await database?.stop();
});

describe('runMigrations', () => {
  test('applies every schema once, also when two migrators start together', async () => {
    const other = await database.connect();
    const both = await Promise.all([runMigrations(client, 'orchestrator'), runMigrations(other, 'orchestrator')]);
    await other.end();
    expect(both.flatMap(({ applied }) => applied)).toEqual(MIGRATIONS.orchestrator.map(({ name }) => name));
    expect(await runMigrations(client, 'tickets')).toEqual({
      schema: 'tickets',
      applied: MIGRATIONS.tickets.map(({ name }) => name),
    });
    expect(await runMigrations(client, 'releases')).toEqual({ schema: 'releases', applied: ['001-history'] });
    expect(await runMigrations(client, 'releases')).toEqual({ schema: 'releases', applied: [] });
  });

  test('leaves every object with the owner of its schema and the session with its own role', async () => {
    const owners = await client.query<{ schema: string; owner: string }>(`
      select distinct n.nspname as schema, pg_get_userbyid(c.relowner) as owner
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('orchestrator', 'tickets', 'releases') and c.relkind in ('r', 'v', 'S') order by 1`);
    expect(owners.rows).toEqual([
      { schema: 'orchestrator', owner: 'orchestrator_owner' },
      { schema: 'releases', owner: 'releases_owner' },
      { schema: 'tickets', owner: 'tickets_owner' },
    ]);
    const { rows } = await client.query('select current_user = session_user as own');
    expect(rows).toEqual([{ own: true }]);
  });

  test('refuses a migration that was edited after it was applied', async () => {
    const edited = [{ ...MIGRATIONS.releases[0], sql: `${MIGRATIONS.releases[0].sql}-- more` }];
    await expect(runMigrations(client, 'releases', edited)).rejects.toMatchObject({ code: 'migration_changed' });
  });

  test('refuses a database that holds a migration of a newer version', async () => {
    await expect(runMigrations(client, 'releases', [])).rejects.toMatchObject({ code: 'migration_unknown' });
  });

  test('leaves nothing of a migration that fails half way', async () => {
    const broken = [...MIGRATIONS.releases, { name: '002-broken', sql: 'create table releases.half (); select 1/0;' }];
    await expect(runMigrations(client, 'releases', broken)).rejects.toThrow('division by zero');
    const { rows } = await client.query("select to_regclass('releases.half') as half");
    expect(rows).toEqual([{ half: null }]);
  });
});

describe('grants', () => {
  async function as(config: pg.ClientConfig, statement: string): Promise<unknown> {
    const session = new pg.Client(config);
    await session.connect();
    try {
      return (await session.query(statement)).rows;
    } finally {
      await session.end();
    }
  }

  test('a worker runs its functions and sees no table', async () => {
    expect(await as(database.worker, "select * from tickets.claim(array['BUILD'], 'a', 1)")).toEqual([]);
    await expect(as(database.worker, 'select * from tickets.ticket')).rejects.toMatchObject({ code: '42501' });
    await expect(as(database.worker, "select tickets.cancel('t', true)")).rejects.toMatchObject({ code: '42501' });
    await expect(as(database.worker, 'select * from orchestrator.plan')).rejects.toMatchObject({ code: '42501' });
  });

  test('the orchestrator can add to the audit trail and change nothing in it', async () => {
    const insert = "insert into orchestrator.audit (plan_id, action, spiffe_id) values ('p', 'submit', 'spiffe://x/y')";
    expect(await as(database.orchestrator, insert)).toEqual([]);
    const change = "update orchestrator.audit set spiffe_id = 'z'";
    await expect(as(database.orchestrator, change)).rejects.toMatchObject({ code: '42501' });
    await expect(as(database.orchestrator, 'delete from orchestrator.audit')).rejects.toMatchObject({ code: '42501' });
    await expect(as(database.orchestrator, 'create table orchestrator.x ()')).rejects.toMatchObject({ code: '42501' });
  });

  test('a QUERY reads the release history and no ticket', async () => {
    expect(await as(database.query, 'select * from releases.history')).toEqual([]);
    await expect(as(database.query, 'select * from tickets.ticket')).rejects.toMatchObject({ code: '42501' });
    await expect(as(database.query, 'select * from tickets.deployment')).rejects.toMatchObject({ code: '42501' });
  });
});

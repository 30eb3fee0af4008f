import { Secret } from '@neural-hive/security/common';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { TicketFailure } from '../domain/failure.ts';
import { startTicketDatabase, type TicketDatabase } from '../testing/database.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { queryExecutor } from './query.ts';

let database: TicketDatabase;
let leased = 0;

beforeAll(async () => {
  database = await startTicketDatabase();
});
afterAll(() => database?.stop());
beforeEach(() => {
  leased += 1;
});

const roles = async () =>
  (await database.admin.query("select rolname from pg_roles where rolname like 'v-query-%'")).rows.length;

/** What the database engine does: a role that lives as long as the lease. */
async function lease() {
  const username = `v-query-${leased}`;
  await database.admin.query(`create role "${username}" login password 'p' in role releases_ro;
    alter role "${username}" set default_transaction_read_only = on`);
  const revoke = async (): Promise<void> => {
    await database.admin.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [username]);
    await database.admin.query(`drop role "${username}"`);
  };
  return { value: { username, password: new Secret('p') }, revoke };
}

function run(statement: string, more: Parameters<typeof executionOf>[1] = {}) {
  const { host, port, database: name } = database.superuser;
  const executor = queryExecutor({ lease, database: { host, port, database: name } as { host: string } });
  return executor.execute(executionOf(ticketOf({ task_type: 'QUERY', parameters: { statement } }), more));
}

const codeOf = (running: Promise<unknown>): Promise<string> =>
  running.then(
    () => 'none',
    (error: TicketFailure) => error.code,
  );

test('a database whose socket has too long a path is refused before anything is leased', () => {
  const executor = (host: string) => queryExecutor({ lease, database: { host, port: 5432, database: 'x' } });
  expect(executor(`/${'a'.repeat(80)}`).type).toBe('QUERY');
  expect(() => executor(`/${'a'.repeat(103)}`)).toThrow(RangeError);
});

test('a query is answered with its rows, and its login is gone when it ends', async () => {
  const { output } = await run(
    "select 1 as one, 'x' as text, null as nothing union all select 2, 'y', null order by 1",
  );
  expect(JSON.parse(output.rows ?? '')).toEqual([
    { one: 1, text: 'x', nothing: null },
    { one: 2, text: 'y', nothing: null },
  ]);
  expect(output).toMatchObject({ row_count: '2', truncated: 'false' });
  expect(await roles()).toBe(0);
});

test('the history of releases can be read, and nothing beside it', async () => {
  expect((await run('select release_id, target from releases.history')).output.row_count).toBe('0');
  expect(await codeOf(run('select * from tickets.ticket'))).toBe('parameters');
  expect(await roles()).toBe(0);
});

test.each([
  ['a second statement', 'select 1; select 2'],
  ['a change', 'delete from tickets.ticket'],
  ['a change within a query', 'with gone as (delete from tickets.ticket returning 1) select * from gone'],
  ['DDL', 'create table t ()'],
  ['a way out of the transaction', 'select 1; commit; create temp table t ()'],
  ['a statement that is none', 'selec 1'],
  ['a change of the transaction’s mode', "select set_config('transaction_read_only', 'off', true)"],
])('%s is refused as wrong parameters', async (_, statement) => {
  expect(await codeOf(run(statement))).toBe('parameters');
  expect(await roles()).toBe(0);
});

test('rows and bytes are limited, and the output says so', async () => {
  const many = await run('select g from generate_series(1, 1000) g');
  expect(many.output).toMatchObject({ row_count: '500', truncated: 'true' });
  const large = await run("select repeat('x', 1000) from generate_series(1, 100)");
  expect(large.output.truncated).toBe('true');
  expect((large.output.rows ?? '').length).toBeLessThan(60_000);
});

test('a statement that takes too long is a timeout, also when it raises the limit itself', async () => {
  expect(await codeOf(run('select pg_sleep(20)', { timeoutMs: 200 }))).toBe('timeout');
  expect(await roles()).toBe(0);
});

test('a cancelled query ends at once and gives its login back', async () => {
  const abort = new AbortController();
  const running = run('select pg_sleep(20)', { signal: abort.signal });
  const active = () =>
    database.admin.query("select 1 from pg_stat_activity where application_name = 'worker-query' and state = 'active'");
  await expect.poll(async () => (await active()).rows.length, { timeout: 5_000 }).toBe(1);
  abort.abort(new Error('cancelled'));
  await expect(running).rejects.toThrow('cancelled');
  expect(await roles()).toBe(0);
});

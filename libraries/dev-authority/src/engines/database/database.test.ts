import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityUnderTest, type WireAnswer } from '../../authority-under-test.ts';

let postgres: EmbeddedPostgres;
let observer: Pool;
let vault: AuthorityUnderTest;

const CREATION = [
  `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
  'GRANT SELECT ON readings TO "{{name}}"',
];

beforeAll(async () => {
  postgres = await startPostgres();
  const { user, password } = postgres.superuser;
  observer = new Pool({
    host: postgres.socketFolder,
    port: postgres.port,
    database: postgres.database,
    user,
    password,
    max: 2,
  });
  observer.on('error', () => undefined);
  await observer.query('CREATE TABLE readings (n int)');
  vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'sys/mounts/database', { type: 'database' });
  await vault.must('POST', 'database/config/pg', connection());
  await role('reader', {});
}, 60_000);
afterAll(async () => {
  await vault[Symbol.asyncDispose]();
  await observer.end();
  await postgres.stop();
});

function connection(): Record<string, unknown> {
  const url = `postgresql://{{username}}:{{password}}@/${postgres.database}?host=${encodeURIComponent(postgres.socketFolder)}&port=${postgres.port}`;
  const { user, password } = postgres.superuser;
  return {
    plugin_name: 'postgresql-database-plugin',
    connection_url: url,
    username: user,
    password,
    allowed_roles: '*',
  };
}

const role = (name: string, fields: Record<string, unknown>): Promise<WireAnswer> =>
  vault.must('POST', `database/roles/${name}`, {
    db_name: 'pg',
    creation_statements: CREATION,
    default_ttl: '60s',
    max_ttl: '90s',
    ...fields,
  });

async function exists(name: unknown): Promise<boolean> {
  return (await observer.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name])).rowCount === 1;
}

async function lease(name = 'reader'): Promise<{ id: string; username: string; password: string }> {
  const { body, data } = await vault.must('GET', `database/creds/${name}`);
  return { id: String(body.lease_id), username: String(data.username), password: String(data.password) };
}

async function connect(username: string, password: string): Promise<Client> {
  const client = new Client({
    host: postgres.socketFolder,
    port: postgres.port,
    database: postgres.database,
    user: username,
    password,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

describe('a leased login', () => {
  test('works until its lease is revoked and not after', async () => {
    const { id, username, password } = await lease();
    expect(username).toMatch(/^v-root-reader-[A-Za-z0-9]{20}-\d{10}$/);
    const client = await connect(username, password);
    expect((await client.query('SELECT * FROM readings')).rowCount).toBe(0);
    await client.end();
    expect((await vault.root('PUT', 'sys/leases/revoke', { lease_id: id, sync: true })).status).toBe(204);
    expect(await exists(username)).toBe(false);
    await expect(connect(username, password)).rejects.toThrow();
    expect((await vault.root('PUT', 'sys/leases/renew', { lease_id: id })).body).toEqual({
      errors: ['lease not found'],
    });
  });

  test('is valid in PostgreSQL as long as its lease, and a renewal moves both', async () => {
    const { id, username } = await lease();
    const until = async (): Promise<number> =>
      Number(
        (
          await observer.query(
            'SELECT extract(epoch FROM rolvaliduntil)::bigint AS until FROM pg_roles WHERE rolname = $1',
            [username],
          )
        ).rows[0]?.until,
      );
    const first = await until();
    const now = Date.now() / 1000;
    expect(Math.abs(first - (now + 60))).toBeLessThan(5);
    const renewed = await vault.must('PUT', 'sys/leases/renew', { lease_id: id, increment: '1h' });
    expect(Number(renewed.body.lease_duration)).toBeGreaterThan(80);
    expect(renewed.body.warnings).toEqual([expect.stringContaining('TTL value is capped')]);
    expect((await until()) - first).toBeGreaterThan(20);
    const found = await vault.must('PUT', 'sys/leases/lookup', { lease_id: id });
    expect(found.data).toMatchObject({
      id,
      path: 'database/creds/reader',
      renewable: true,
      last_renewal: expect.any(String),
    });
  });

  test('ends with its time', async () => {
    await role('brief', { default_ttl: 1, max_ttl: 1 });
    const { username } = await lease('brief');
    expect(await exists(username)).toBe(true);
    await expect.poll(() => exists(username), { timeout: 5_000, interval: 100 }).toBe(false);
  });

  test("ends with the token that asked for it, and with that token's parent", async () => {
    await vault.must('PUT', 'sys/policies/acl/app', {
      policy:
        'path "database/creds/reader" { capabilities = ["read"] } path "auth/token/create" { capabilities = ["update"] }',
    });
    const parent = await vault.tokenWith(['app']);
    const child = String(
      (await vault.call('POST', 'auth/token/create', { token: parent, body: {} })).auth.client_token,
    );
    const { data } = await vault.call('GET', 'database/creds/reader', { token: child });
    expect(await exists(data.username)).toBe(true);
    await vault.must('POST', 'auth/token/revoke', { token: parent });
    expect(await exists(data.username)).toBe(false);
  });

  test('that ended while the authority was away is revoked at its start', async () => {
    await role('brief', { default_ttl: 1, max_ttl: 1 });
    const [brief, long] = [await lease('brief'), await lease()];
    await vault.restart(() => new Promise((resolve) => setTimeout(resolve, 1_000)));
    await expect.poll(() => exists(brief.username), { timeout: 5_000, interval: 50 }).toBe(false);
    expect(await exists(long.username)).toBe(true);
    await vault.must('PUT', 'sys/leases/revoke', { lease_id: long.id, sync: true });
  });

  test('is counted in the audit log, made and revoked, without its id', async () => {
    const { id } = await lease();
    await vault.must('PUT', 'sys/leases/revoke', { lease_id: id, sync: true });
    const events = (await vault.auditLines()).filter((line) => line.type === 'event');
    const digest = (await vault.must('POST', 'sys/audit-hash/file', { input: id })).data.hash;
    expect(events.filter((event) => event.lease_id === digest).map((event) => event.event)).toEqual([
      'lease.created',
      'lease.revoked',
    ]);
    expect(JSON.stringify(events)).not.toContain(id);
  });
});

describe('prefixes', () => {
  test('are listed and revoked as a whole', async () => {
    const leases = [await lease(), await lease()];
    const { data } = await vault.must('LIST', 'sys/leases/lookup/database/creds/reader');
    expect(data.keys).toEqual(expect.arrayContaining(leases.map(({ id }) => id.split('/').at(-1))));
    await vault.must('PUT', 'sys/leases/revoke-prefix/database/creds/reader', {});
    expect(await Promise.all(leases.map(({ username }) => exists(username)))).toEqual([false, false]);
    expect((await vault.root('LIST', 'sys/leases/lookup/database/creds/reader')).status).toBe(404);
  });
});

describe('what goes wrong', () => {
  test('a failing revocation stays visible and is repeated until it works', async () => {
    await role('stubborn', { revocation_statements: ['SELECT no_such_function()'] });
    const { id, username } = await lease('stubborn');
    expect((await vault.root('PUT', 'sys/leases/revoke', { lease_id: id, sync: true })).status).toBe(500);
    expect((await vault.must('PUT', 'sys/leases/lookup', { lease_id: id })).data).toMatchObject({
      id,
      renewable: false,
    });
    const { data } = await vault.must('GET', 'sys/leases');
    expect(data.leases).toEqual([
      expect.objectContaining({ lease_id: id, error: expect.stringContaining('no_such_function') }),
    ]);
    await role('stubborn', { revocation_statements: ['DROP OWNED BY "{{name}}"', 'DROP ROLE "{{name}}"'] });
    await expect.poll(() => exists(username), { timeout: 10_000, interval: 100 }).toBe(false);
    await expect.poll(async () => (await vault.root('PUT', 'sys/leases/lookup', { lease_id: id })).status).toBe(400);
  });

  test('a login that is gone already counts as revoked', async () => {
    await role('dropped', { revocation_statements: ['DROP OWNED BY "{{name}}"', 'DROP ROLE "{{name}}"'] });
    const { id, username } = await lease('dropped');
    await observer.query(`DROP OWNED BY "${username}"; DROP ROLE "${username}"`);
    expect((await vault.root('PUT', 'sys/leases/revoke', { lease_id: id, sync: true })).status).toBe(204);
  });

  test('creation is all or nothing, and its error does not repeat the password', async () => {
    const before = (await observer.query("SELECT count(*)::int AS n FROM pg_roles WHERE rolname LIKE 'v-%'")).rows[0]
      ?.n;
    await role('broken', { creation_statements: [CREATION[0], 'GRANT SELECT ON no_such_table TO "{{name}}"'] });
    const answer = await vault.root('GET', 'database/creds/broken');
    expect(answer.status).toBe(500);
    expect(answer.text).toContain('no_such_table');
    await role('leaky', { creation_statements: ['CREATE ROLE "{{name}}" PASSWORD {{password}}'] });
    const leaky = await vault.root('GET', 'database/creds/leaky');
    expect(leaky.text).toMatch(/at or near \\"…\\"/);
    const after = (await observer.query("SELECT count(*)::int AS n FROM pg_roles WHERE rolname LIKE 'v-%'")).rows[0]?.n;
    expect(after).toBe(before);
    expect((await vault.must('GET', 'sys/leases/count')).data.counts).toMatchObject({ revoking: 0 });
  });

  test('an unknown role, a role that is not allowed and a database that does not answer are told apart', async () => {
    expect((await vault.root('GET', 'database/creds/none')).body).toEqual({ errors: ['unknown role: none'] });
    await vault.must('POST', 'database/config/narrow', { ...connection(), allowed_roles: ['reader'] });
    await role('outsider', { db_name: 'narrow' });
    expect((await vault.root('GET', 'database/creds/outsider')).text).toContain('is not an allowed role');
    const dead = await vault.root('POST', 'database/config/dead', {
      ...connection(),
      connection_url: 'host=127.0.0.1 port=1 dbname=x',
    });
    expect([dead.status, dead.text]).toEqual([400, expect.stringContaining('error verifying connection')]);
  });

  test('a connection to a socket with a path over 103 bytes is refused', async () => {
    const tooLong = new URLSearchParams({ host: `/${'a'.repeat(90)}`, port: '5432' });
    for (const connectionUrl of [
      `postgresql://{{username}}:{{password}}@/x?${tooLong}`,
      `host=/${'a'.repeat(90)} dbname=x`,
    ]) {
      const { status, text } = await vault.root('POST', 'database/config/long', {
        ...connection(),
        connection_url: connectionUrl,
      });
      expect([status, text]).toEqual([400, expect.stringContaining('may be at most 103')]);
    }
  });
});

test('the admin password is never shown, and verifiers go to PostgreSQL where that is asked for', async () => {
  const { text } = await vault.must('GET', 'database/config/pg');
  expect(text).not.toContain(postgres.superuser.password);
  const inUrl = String(connection().connection_url).replace(
    '{{password}}',
    encodeURIComponent(postgres.superuser.password),
  );
  await vault.must('POST', 'database/config/url', { ...connection(), connection_url: inUrl, password: 'unused' });
  const shown = (await vault.must('GET', 'database/config/url')).data.connection_details;
  expect(shown).toMatchObject({ connection_url: expect.stringMatching(/^postgresql:\/\/\{\{username\}\}:\*{5}@/) });
  await vault.must('POST', 'database/config/pg', { ...connection(), password_authentication: 'scram-sha-256' });
  const { username, password, id } = await lease();
  await (await connect(username, password)).end();
  const stored = await observer.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [username]);
  expect(stored.rows[0]?.rolpassword).toMatch(/^SCRAM-SHA-256\$4096:/);
  await vault.must('PUT', 'sys/leases/revoke', { lease_id: id, sync: true });
});

test('the revocation of the platform ends open sessions and needs no superuser', async () => {
  await observer.query(`CREATE ROLE vault_admin LOGIN CREATEROLE PASSWORD 'x';
    GRANT pg_signal_backend TO vault_admin; CREATE ROLE readers NOLOGIN; GRANT SELECT ON readings TO readers;
    GRANT readers TO vault_admin WITH ADMIN OPTION`);
  await vault.must('POST', 'database/config/admin', { ...connection(), username: 'vault_admin', password: 'x' });
  await role('service', {
    db_name: 'admin',
    creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' IN ROLE readers`],
    revocation_statements: [
      'ALTER ROLE "{{name}}" NOLOGIN',
      'COMMIT',
      'BEGIN',
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usesysid = (SELECT oid FROM pg_roles WHERE rolname = '{{name}}')`,
      'DROP ROLE IF EXISTS "{{name}}"',
    ],
  });
  const { id, username, password } = await lease('service');
  const client = await connect(username, password);
  const ended = new Promise((resolve) => client.once('end', resolve));
  await vault.must('PUT', 'sys/leases/revoke', { lease_id: id, sync: true });
  await ended;
  expect(await exists(username)).toBe(false);
});

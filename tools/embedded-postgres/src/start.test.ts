import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Client } from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { availableSources } from './binaries/locate.ts';
import { PostgresServerError } from './errors.ts';
import { chooseRunAs } from './run-as.ts';
import { type EmbeddedPostgres, type StartOptions, startPostgres } from './start.ts';

const root = process.getuid?.() === 0;
const folders: string[] = [];

/** A folder that the server's user can cross; `private` is one that only we can. */
function temporaryFolder(access: 'crossable' | 'private' = 'crossable'): string {
  const folder = mkdtempSync('/tmp/pgt-');
  chmodSync(folder, access === 'crossable' ? 0o711 : 0o700);
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function query(server: EmbeddedPostgres, statement: string, login: object = {}): Promise<unknown[]> {
  const { socketFolder: host, port, database, superuser } = server;
  const client = new Client({ host, port, database, ...superuser, ...login });
  try {
    await client.connect();
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

describe.each(availableSources(chooseRunAs()))('the server found by %s', (source) => {
  test('a throw-away cluster answers over its socket and leaves no file and no process', async () => {
    const server = await startPostgres({ source, database: 'with "quotes"' });
    expect(server.source).toBe(source);
    const rows = await query(
      server,
      `SELECT current_database() AS database, current_setting('server_version_num')::int / 10000 AS major`,
    );
    expect(rows).toEqual([{ database: 'with "quotes"', major: server.majorVersion }]);

    await server.stop();
    await server.stop();
    expect(existsSync(server.socketFolder)).toBe(false);
    expect(existsSync(server.dataFolder)).toBe(false);
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  });

  test('nothing listens on TCP and every login needs the SCRAM password', async () => {
    await using server = await startPostgres({ source });
    const rows = await query(
      server,
      `SELECT current_setting('listen_addresses') AS tcp, current_setting('password_encryption') AS encryption,
              (SELECT string_agg(type || ' ' || auth_method, ',') FROM pg_hba_file_rules) AS rules,
              (SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'postgres') AS verifier`,
    );
    const verifier = 'SCRAM-SHA-256$';
    expect(rows).toEqual([{ tcp: '', encryption: 'scram-sha-256', rules: 'local scram-sha-256', verifier }]);
    await expect(query(server, 'SELECT 1', { password: 'wrong' })).rejects.toThrow('password authentication failed');
  });

  test('the cluster lives in a folder named after its major version and survives a restart', async () => {
    const dataFolder = join(temporaryFolder(), 'postgres');
    const first = await startPostgres({ source, dataFolder, database: 'kept' });
    expect(first.dataFolder).toBe(join(dataFolder, `postgresql-${first.majorVersion}`));
    await query(first, 'CREATE TABLE mark AS SELECT 7 AS value');
    await first.stop();

    await using second = await startPostgres({ source, dataFolder, database: 'kept' });
    expect(await query(second, 'SELECT value FROM mark')).toEqual([{ value: 7 }]);
    const old = first.superuser.password;
    await expect(query(second, 'SELECT 1', { password: old })).rejects.toThrow('password authentication failed');
  });

  test('a start to the first query takes little more than making the cluster', async () => {
    const startMs = performance.now();
    await using server = await startPostgres({ source });
    expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    // About one second on an idle machine; the rest is room for a busy one.
    expect(performance.now() - startMs).toBeLessThan(20_000);
  });
});

test('the server is in a session of its own, so that Ctrl-C reaches the supervisor only', async () => {
  await using server = await startPostgres();
  const groupOf = (pid: number | 'self'): string | undefined =>
    readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2];
  expect(groupOf('self')).toBeDefined();
  expect(groupOf(server.pid)).not.toBe(groupOf('self'));
});

if (root)
  test('as root the server runs under an unprivileged uid, and other uids can reach its socket', async () => {
    await using server = await startPostgres();
    const uids = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'));
    expect(uids?.slice(1)).toHaveLength(3);
    expect(uids?.slice(1)).not.toContain('0');
    expect(statSync(server.socketFolder).mode & 0o777).toBe(0o711);
    expect(statSync(server.dataFolder).mode & 0o077).toBe(0);
  });

test('a given password is set, and neither inspection nor JSON shows it', async () => {
  await using server = await startPostgres({ superuserPassword: "it's 'quoted' é" });
  expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect({ ...server.superuser }.password).toBe("it's 'quoted' é");
  expect(inspect(server) + JSON.stringify(server)).not.toContain('quoted');
});

test('a failing statement that holds a password does not reach the server log', async () => {
  const lines: string[] = [];
  await using server = await startPostgres({ log: (line) => lines.push(line) });
  await expect(query(server, `CREATE ROLE postgres PASSWORD 'hunter2'`)).rejects.toThrow('already exists');
  await server.stop('fast');
  expect(lines.join('\n')).toContain('role "postgres" already exists');
  expect(lines.join('\n')).not.toContain('hunter2');
});

test('a durable cluster keeps fsync on and a throw-away one does not', async () => {
  await using durable = await startPostgres({ dataFolder: join(temporaryFolder(), 'postgres') });
  await using temporary = await startPostgres();
  expect(await query(durable, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
  expect(await query(temporary, 'SHOW fsync')).toEqual([{ fsync: 'off' }]);
});

test('folders with spaces, commas and quotes work', async () => {
  const base = join(temporaryFolder(), `a, "b" 'c'`);
  await using server = await startPostgres({ dataFolder: join(base, 'data'), socketFolder: join(base, 's') });
  expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

describe('bad surroundings are told in one line', () => {
  async function failureOf(options: StartOptions): Promise<PostgresServerError> {
    const outcome: unknown = await startPostgres(options).catch((error: unknown) => error);
    if (!(outcome instanceof PostgresServerError))
      throw new Error('expected a PostgresServerError', { cause: outcome });
    expect(outcome.message).not.toContain('\n');
    return outcome;
  }

  test('a socket path over 103 bytes', async () => {
    const socketFolder = join(temporaryFolder(), 'x'.repeat(100));
    await expect(startPostgres({ socketFolder })).rejects.toThrow('at most 103');
  });

  test('a data folder below a file', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    chmodSync(file, 0o755);
    expect((await failureOf({ dataFolder: join(file, 'postgres') })).message).toContain(file);
  });

  test('an unknown source', async () => {
    await expect(startPostgres({ source: 'elsewhere' as 'npm' })).rejects.toThrow('path, debian, npm');
  });

  if (root)
    test('a data folder below one that the unprivileged user cannot enter names that folder', async () => {
      const barrier = temporaryFolder('private');
      const error = await failureOf({ dataFolder: join(barrier, 'postgres'), socketFolder: temporaryFolder() });
      expect(error.code).toBe('folder_unreachable');
      expect(error.message).toContain(`because of ${barrier}:`);
    });
});

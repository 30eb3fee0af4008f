import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@neural-hive/embedded-postgres';
import pg from 'pg';
import { expect, test } from 'vitest';
import { countDatabaseLeftovers, countOpenLeases } from './leftovers.ts';

test('a lease that was made and not revoked is counted', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'nh-audit-')), 'audit.log');
  const event = (name: string, lease: string): string =>
    JSON.stringify({ type: 'event', event: name, path: `creds/${lease}`, lease_id: `digest of ${lease}` });
  writeFileSync(
    file,
    `${event('lease.created', 'a')}\n${event('lease.created', 'b')}\n${event('lease.revoked', 'a')}\n`,
  );
  expect(countOpenLeases(file)).toBe(1);
  expect([countOpenLeases(file, 'creds/b'), countOpenLeases(file, 'creds/c')]).toEqual([1, 0]);
  expect(countOpenLeases(`${file}.missing`)).toBe(0);
});

test('a login that was made for a run and its session are counted, the lasting ones are not', async () => {
  await using postgres = await startPostgres();
  const { user, password } = postgres.superuser;
  const where = { host: postgres.socketFolder, port: postgres.port, database: postgres.database };
  const admin = new pg.Client({ ...where, user, password });
  await admin.connect();
  await admin.query('CREATE ROLE vault_admin LOGIN');
  expect(await countDatabaseLeftovers(postgres)).toEqual({ roles: 0, sessions: 0 });
  await admin.query(`CREATE ROLE left_behind LOGIN PASSWORD 'sample'`);
  const session = new pg.Client({ ...where, user: 'left_behind', password: 'sample' });
  session.on('error', () => undefined);
  await session.connect();
  expect(await countDatabaseLeftovers(postgres)).toEqual({ roles: 1, sessions: 1 });
  await session.end();
  await admin.end();
});

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DevAuthority } from '@neural-hive/dev-authority';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { expect, test } from 'vitest';
import { runExample } from './live-rotation.ts';
import { makeReaderRole } from './reader-role.mjs';

test('the example rotates a live pool on the dev authority without an error and leaves no login behind', async () => {
  const stateFolder = mkdtempSync(join(tmpdir(), 'authority-'));
  const postgres = await startPostgres();
  const authority = await DevAuthority.open({ stateFolder });
  const { socketFolder: host, port, database, superuser } = postgres;
  const observed = await runExample(
    {
      address: authority.address,
      caFile: authority.caFile,
      rootToken: authority.rootToken,
      postgres: { host, port, database, user: superuser.user, password: superuser.password },
    },
    3,
  );
  expect(observed).toMatchObject({ exitCode: 0, errors: '', rolesLeft: 0 });
  expect(observed.rotations).toBeGreaterThanOrEqual(3);
  expect(observed.logins).toBeGreaterThan(3);
  await authority.close();
  await postgres.stop();
  rmSync(stateFolder, { recursive: true });
});

test('what rotates the pool is twelve lines', () => {
  const text = readFileSync(join(import.meta.dirname, 'rotate-a-pool.mjs'), 'utf8');
  const [core = ''] = text.split('\n// That is all.');
  expect(core.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(12);
});

test('the program of the guide replaces a login under twenty users and no transaction fails', async () => {
  const stateFolder = mkdtempSync(join(tmpdir(), 'authority-'));
  const postgres = await startPostgres();
  const authority = await DevAuthority.open({ stateFolder });
  const { socketFolder: host, port, database, superuser } = postgres;
  const { address, caFile, rootToken } = authority;
  await makeReaderRole({ address, caFile, rootToken, postgres: { host, port, database, ...superuser } }, 60);
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'under-load.mjs')], {
    env: {
      VAULT_ADDR: address,
      VAULT_CACERT: caFile,
      VAULT_TOKEN: rootToken,
      DATABASE_ROLE: 'reader',
      PGHOST: host,
      PGPORT: String(port),
      PGDATABASE: database,
      RUN_SECONDS: '4',
    },
  });
  const totals = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  expect(totals).toMatchObject({ failed: 0, sessionsEndedByForce: 0 });
  expect(totals.rotations).toBeGreaterThan(0);
  expect(totals.transactions).toBeGreaterThan(20);
  await authority.close();
  await postgres.stop();
  rmSync(stateFolder, { recursive: true });
});

test('the guide shows the program as it is', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/rotate-postgresql-under-load.md'), 'utf8');
  const program = readFileSync(join(import.meta.dirname, 'under-load.mjs'), 'utf8');
  const blocks = [...guide.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = '']) => code);
  expect(blocks.length).toBe(3);
  for (const block of blocks) expect(program).toContain(block);
});

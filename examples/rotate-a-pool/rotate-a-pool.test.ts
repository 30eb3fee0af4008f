import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { expect, test } from 'vitest';
import { runExample } from './live-rotation.ts';

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

import { startPostgres } from '@neural-hive/embedded-postgres';
import { startOpenBao } from '@neural-hive/real-stack';
import { expect, test } from 'vitest';
import { runExample } from './live-rotation.ts';

test('the example rotates a live pool on OpenBao without an error and leaves no login behind', async () => {
  const [postgres, bao] = await Promise.all([startPostgres(), startOpenBao()]);
  const { socketFolder: host, port, database, superuser } = postgres;
  const observed = await runExample(
    {
      address: bao.address,
      caFile: bao.caFile,
      rootToken: bao.rootToken.reveal(),
      postgres: { host, port, database, user: superuser.user, password: superuser.password },
    },
    3,
  );
  expect(observed).toMatchObject({ exitCode: 0, errors: '', rolesLeft: 0 });
  expect(observed.rotations).toBeGreaterThanOrEqual(3);
  expect(observed.logins).toBeGreaterThan(3);
  await bao.stop();
  await postgres.stop();
});

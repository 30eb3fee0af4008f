import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIENCES } from '@neural-hive/contracts';
import { openIdentity } from '@neural-hive/service-runtime';
import { databaseBootstrap } from '@neural-hive/vault-setup';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedPlatform } from '../testing/embedded-platform.ts';
import { migrateSchemas } from './migrate-schemas.ts';
import { migrationConfig } from './migration-config.ts';

let platform: EmbeddedPlatform;
let folder: string;

beforeAll(async () => {
  platform = await EmbeddedPlatform.open();
  folder = mkdtempSync('/tmp/mig-');
  const { jwt, close } = await openIdentity({ endpoint: platform.operatorEndpoint });
  const { token } = await jwt.fetchJwtSvid({ audience: AUDIENCES.vault });
  writeFileSync(join(folder, 'token'), token.reveal());
  await close();
});

afterAll(async () => {
  await platform.close();
  rmSync(folder, { recursive: true });
});

const environment = (): Record<string, string> => ({
  ...platform.environment,
  VAULT_KUBERNETES_ROLE: 'schema-migrator',
  VAULT_TOKEN_PATH: join(folder, 'token'),
});

test('what is missing is applied with leased logins, and a second run changes nothing', async () => {
  await platform.asSuperuser(async (client) => {
    await client.query('drop schema releases cascade');
    await databaseBootstrap(client);
  });
  const first = await migrateSchemas(migrationConfig(environment()));
  expect(first.map(({ schema, applied }) => [schema, applied.length > 0])).toEqual([
    ['orchestrator', false],
    ['tickets', false],
    ['releases', true],
  ]);
  const second = await migrateSchemas(migrationConfig(environment()));
  expect(second.flatMap(({ applied }) => applied)).toEqual([]);
  const logins = await platform.asSuperuser((client) =>
    client.query(`select 1 from pg_stat_activity where application_name like 'migration of %'`),
  );
  expect(logins.rowCount).toBe(0);
});

test('a role that may not lease migrators is refused', async () => {
  const config = migrationConfig({ ...environment(), VAULT_KUBERNETES_ROLE: 'operator' });
  await expect(migrateSchemas(config)).rejects.toMatchObject({ code: 'permission-denied' });
});

test('a job logs in by a token in a file, and every problem is told at once', () => {
  expect(migrationConfig(environment()).vault.login).toMatchObject({ method: 'jwt', role: 'schema-migrator' });
  expect(migrationConfig({ POSTGRES_HOST: 'db' })).toMatchObject({
    vault: { login: { method: 'kubernetes', role: 'schema-migrator' } },
    postgres: { port: 5432, database: 'neural_hive', tls: true },
  });
  expect(() => migrationConfig({ POSTGRES_HOST: 'db', VAULT_AUTH_METHOD: 'token', VAULT_TOKEN: 't' })).toThrow(
    /VAULT_AUTH_METHOD: token is not for a job/,
  );
  expect(() => migrationConfig({ VAULT_ADDRESS: 'nowhere' })).toThrow(/POSTGRES_HOST.*VAULT_ADDRESS/s);
});

import { KV_PATHS } from '@neural-hive/contracts';
import { databaseCredentials, RotatingCredential } from '@neural-hive/security/credentials';
import { JwtSource } from '@neural-hive/security/spiffe';
import { jwtAuth, VaultClient } from '@neural-hive/security/vault';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedPlatform } from '../../testing/embedded-platform.ts';
import { OrchestratorVaultClient } from './orchestrator-vault-client.ts';

let platform: EmbeddedPlatform;
let jwt: JwtSource;
let client: VaultClient;
let vault: OrchestratorVaultClient;
const counted: string[] = [];

beforeAll(async () => {
  platform = await EmbeddedPlatform.open();
  jwt = await JwtSource.open({ endpoint: platform.environment.SPIFFE_ENDPOINT_SOCKET });
  client = await VaultClient.open({
    address: platform.authority.address,
    ca: platform.authority.caPem,
    auth: jwtAuth({
      role: 'orchestrator-dynamic',
      fetchToken: async () => (await jwt.fetchJwtSvid({ audience: 'vault.neural-hive.local' })).token.reveal(),
    }),
  });
  vault = new OrchestratorVaultClient({
    client,
    counters: {
      fetched: (type, status) => counted.push(`${type} ${status}`),
      renewed: (status) => counted.push(`renewal ${status}`),
    },
  });
});

afterAll(async () => {
  await client?.close();
  await jwt?.close();
  await platform?.close();
});

test('a database login works until it is given back', async () => {
  const lease = await vault.getPostgresCredentials();
  const session = new pg.Client(platform.connectionOf(lease.value));
  session.on('error', () => undefined);
  await session.connect();
  expect((await session.query('select from orchestrator.plan')).rows).toEqual([]);
  await session.end();
  await lease.revoke();
  const late = new pg.Client(platform.connectionOf(lease.value));
  await expect(late.connect()).rejects.toThrow();
  expect(counted.splice(0)).toEqual(['postgres success']);
});

test('the login of the transport is the stored one, and shows itself to nobody', async () => {
  const login = await vault.getKafkaCredentials();
  expect(login.username).toBe('announce_first');
  expect(login.password.reveal()).toContain('announce_first');
  expect(JSON.stringify(login)).not.toContain(login.password.reveal());
  expect(counted.splice(0)).toEqual(['kafka success']);
});

test('a profile without MongoDB says so, one with it hands out the URI', async () => {
  await expect(vault.getMongodbUri()).rejects.toMatchObject({
    code: 'mongodb_not_configured',
    message: expect.stringContaining('PostgreSQL'),
  });
  await platform.vault.kv().write(KV_PATHS.orchestratorMongodb, { uri: 'mongodb://db' });
  expect((await vault.getMongodbUri()).reveal()).toBe('mongodb://db');
  expect(counted.splice(0)).toEqual(['mongodb failure', 'mongodb success']);
});

test('renewing replaces the token and what is held by it', async () => {
  const held = await RotatingCredential.open({ provider: databaseCredentials(client, 'temporal-orchestrator') });
  vault.hold(held);
  const before = { token: client.token.generation, login: held.current() };
  await vault.renewCredentials();
  expect(client.token.generation).toBeGreaterThan(before.token);
  expect(held.current().generation).toBeGreaterThan(before.login.generation);
  expect(held.current().value.username).not.toBe(before.login.value.username);
  expect(counted.splice(0)).toContain('renewal success');
  await held.close();
});

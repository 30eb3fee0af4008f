import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { STATIC_DATABASE_ROLES } from '@neural-hive/contracts';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import {
  type OpenBaoServer,
  prepareTemporalDatabase,
  startOpenBao,
  startTemporal,
  type TemporalServer,
} from '@neural-hive/real-stack';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { applyVaultSetup } from '../apply/apply-setup.ts';
import { TEMPORAL_LOGIN } from './names.ts';
import { PRODUCTION_LIFETIMES } from './parameters.ts';
import { platformSetup } from './platform-setup.ts';

vi.setConfig({ testTimeout: 600_000 });

const ROLE = STATIC_DATABASE_ROLES.temporalServer;
const CONNECTION_LIFE_MS = 5_000;
const REPEATS = 10;
const ADMIN = { user: 'vault_temporal', password: 'of-this-run' };

let folder: string;
let bao: OpenBaoServer;
let postgres: EmbeddedPostgres;
let root: VaultClient;
let superuser: Client;
let temporal: TemporalServer;

const open = async (login: { user: string; password: string }): Promise<Client> => {
  const { socketFolder: host, port, database } = postgres;
  const client = new Client({ host, port, database, ...login });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

beforeAll(async () => {
  [bao, postgres] = await Promise.all([startOpenBao({ tls: true }), startPostgres()]);
  const { address, caFile, rootToken } = bao;
  root = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token: rootToken }) });
  superuser = await open(postgres.superuser);
  const { username } = await prepareTemporalDatabase(postgres);
  expect(username).toBe(TEMPORAL_LOGIN);
  // It may replace the password of the one login, and no more (before PostgreSQL 16, of any that is no superuser).
  await superuser.query(`CREATE ROLE ${ADMIN.user} LOGIN CREATEROLE PASSWORD '${ADMIN.password}'`);
  await superuser.query(`GRANT ${TEMPORAL_LOGIN} TO ${ADMIN.user} WITH ADMIN OPTION`);
  const { socketFolder, port, database } = postgres;
  const url = `host=${socketFolder} port=${port} dbname=${database} user={{username}} password={{password}}`;
  const connection = { url, username: ADMIN.user, password: ADMIN.password };
  const report = await applyVaultSetup(root, platformSetup({ lifetimes: PRODUCTION_LIFETIMES, temporal: connection }));
  expect(report.created).toContain(`database static role ${ROLE}`);
  temporal = await startWithPasswordCommand();
}, 300_000);

afterAll(async () => {
  await temporal?.stop();
  await superuser?.end();
  await root?.close();
  await Promise.all([bao?.stop(), postgres?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Temporal with what `bao` reads as its password, by a token that may read that and nothing else. */
async function startWithPasswordCommand(): Promise<TemporalServer> {
  const body = { policies: [ROLE], no_default_policy: true, ttl: '3600s' };
  const { auth } = await root.request({ method: 'POST', path: 'auth/token/create', body });
  folder = mkdtempSync(join(tmpdir(), 'temporal-login-'));
  chmodSync(folder, 0o700);
  // Where `bao login` puts it.
  writeFileSync(join(folder, '.vault-token'), auth?.token.reveal() ?? '', { mode: 0o600 });
  const { socketFolder, port } = postgres;
  return startTemporal({
    store: {
      socketFolder,
      port,
      username: TEMPORAL_LOGIN,
      passwordCommand: {
        program: process.env.BAO_BINARY ?? '',
        args: ['read', '-field=password', `database/static-creds/${ROLE}`],
      },
      maxConnectionLifeMs: CONNECTION_LIFE_MS,
    },
    environment: { HOME: folder, BAO_ADDR: bao.address, BAO_CACERT: bao.caFile },
  });
}

const passwordNow = async (): Promise<string> => (await root.database().staticCredentials(ROLE)).password.reveal();

/** Sessions of Temporal that were opened before a moment, and after it. */
async function sessions(sinceMs: number): Promise<{ older: number; younger: number }> {
  const { rows } = await superuser.query<{ older: number; younger: number }>(
    `SELECT count(*) FILTER (WHERE backend_start < $2)::int AS older, count(*) FILTER (WHERE backend_start >= $2)::int AS younger
     FROM pg_stat_activity WHERE usename = $1`,
    [TEMPORAL_LOGIN, new Date(sinceMs)],
  );
  return rows[0] ?? { older: 0, younger: 0 };
}

/** Starts a workflow, which is written to the store, and reads it; repeats what fails for a moment, as the SDKs do. */
async function startAndRead(id: string): Promise<number> {
  const path = `/api/v1/namespaces/${temporal.namespace}/workflows/${id}`;
  const start = { workflowType: { name: 'none' }, taskQueue: { name: 'none' }, requestId: id };
  for (let repeats = 0; ; repeats += 1) {
    try {
      await temporal.call('POST', path, start);
      await temporal.call('GET', path);
      return repeats;
    } catch (error) {
      if (repeats === REPEATS) throw error;
      await delay(200);
    }
  }
}

test('Temporal works on while its password is replaced twice, without a restart', async () => {
  const { pid } = temporal;
  const used: string[] = [];
  const failures: unknown[] = [];
  let asking = true;
  let asked = 0;
  let repeated = 0;
  const callers = Array.from({ length: 4 }, async (_, lane) => {
    for (let number = 0; asking; number += 1) {
      await startAndRead(`${lane}-${number}`).then(
        (repeats) => {
          asked += 1;
          repeated += repeats;
        },
        (error: unknown) => failures.push(error),
      );
    }
  });
  for (let rotation = 0; rotation < 2; rotation += 1) {
    const old = await passwordNow();
    await (await open({ user: TEMPORAL_LOGIN, password: old })).end();
    await root.database().rotateRole(ROLE);
    const rotatedMs = Date.now();
    used.push(old);
    await expect(open({ user: TEMPORAL_LOGIN, password: old })).rejects.toThrow('password authentication failed');
    for (;;) {
      const { older, younger } = await sessions(rotatedMs);
      if (older === 0 && younger > 0) break;
      await delay(200);
    }
  }
  asking = false;
  await Promise.all(callers);
  console.info(`${asked} workflows over 2 passwords, ${repeated} repeated, ${failures.length} failed`);
  expect(failures).toEqual([]);
  expect(asked).toBeGreaterThan(4);
  expect(new Set([...used, await passwordNow()]).size).toBe(3);
  expect(temporal.pid).toBe(pid);
  expect(() => process.kill(pid ?? 0, 0)).not.toThrow();
});

test('the login that Temporal reads with reads nothing else, and its own owns nothing', async () => {
  const body = { policies: [ROLE], no_default_policy: true, ttl: '60s' };
  const { auth } = await root.request({ method: 'POST', path: 'auth/token/create', body });
  const { address, caFile } = bao;
  const token = auth?.token.reveal() ?? '';
  await using reader = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token }) });
  expect((await reader.database().staticCredentials(ROLE)).username).toBe(TEMPORAL_LOGIN);
  const refused = { code: 'permission-denied' };
  await expect(reader.database().rotateRole(ROLE)).rejects.toMatchObject(refused);
  await expect(reader.kv().read('orchestrator/kafka')).rejects.toMatchObject(refused);
  const session = await open({ user: TEMPORAL_LOGIN, password: await passwordNow() });
  await expect(session.query('CREATE TABLE mine ()')).rejects.toThrow('permission denied');
  const owned = await superuser.query('SELECT FROM pg_class WHERE relowner = $1::regrole', [TEMPORAL_LOGIN]);
  expect(owned.rowCount).toBe(0);
  await session.end();
});

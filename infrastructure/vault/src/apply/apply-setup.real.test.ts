import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { AUDIENCES, DATABASE_ROLES, migratorRole, SPIFFE_IDS, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { availableSources, chooseRunAs, type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { type OpenBaoServer, startOpenBao } from '@neural-hive/real-stack';
import { jwtAuth, type Lease, tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAnnouncementUser, dropAnnouncementUser } from '../database/announcement-users.ts';
import { databaseBootstrap } from '../database/bootstrap.ts';
import { ANNOUNCE_ROTATOR_ROLE, POSTGRES_CONNECTION } from '../setup/names.ts';
import { EMBEDDED_LIFETIMES, type SetupParameters } from '../setup/parameters.ts';
import { platformSetup } from '../setup/platform-setup.ts';
import { applyVaultSetup } from './apply-setup.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKey = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();

/** A JWT-SVID of the platform's issuer, with some claims changed. */
function jwtSvid(claims: Record<string, unknown> = {}): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const standard = {
    iss: SPIFFE_ISSUER,
    sub: SPIFFE_IDS.worker,
    aud: [AUDIENCES.vault],
    iat: nowSeconds,
    exp: nowSeconds + 60,
  };
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode({ ...standard, ...claims })}`;
  const key = { key: keys.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

// Any JWT will do: the server only parses it.
const reviewerToken = jwtSvid();

/** As a caller gives them that does not know the secrets the server already has. */
function withoutSecrets(parameters: SetupParameters): SetupParameters {
  const { kubernetes, postgres } = parameters;
  if (kubernetes === undefined || postgres === undefined) throw new TypeError('parameters');
  const { reviewerToken: _, ...cluster } = kubernetes;
  const { password: __, ...connection } = postgres;
  return { ...parameters, kubernetes: cluster, postgres: connection };
}

type Login = Lease<{ username: string; password: { reveal(): string } }>;

describe.each(availableSources(chooseRunAs()))('the setup on OpenBao with the PostgreSQL found by %s', (source) => {
  let bao: OpenBaoServer;
  let postgres: EmbeddedPostgres;
  let root: VaultClient;
  let superuser: Client;
  let parameters: SetupParameters;
  const sessions: Client[] = [];

  const open = async (user: string, password: string): Promise<Client> => {
    const { socketFolder: host, port, database } = postgres;
    const client = new Client({ host, port, database, user, password });
    // A session that is terminated says so here, too.
    client.on('error', () => {});
    await client.connect();
    sessions.push(client);
    return client;
  };
  const openLease = ({ value }: Login): Promise<Client> => open(value.username, value.password.reveal());
  const lease = (role: string): Promise<Login> => root.database().credentials(role);
  const roleCount = async (name: string): Promise<unknown> =>
    (await superuser.query('SELECT count(*)::int AS n FROM pg_roles WHERE rolname = $1', [name])).rows[0]?.n;
  const sessionCount = async (name: string): Promise<unknown> =>
    (await superuser.query('SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1', [name])).rows[0]?.n;

  beforeAll(async () => {
    [bao, postgres] = await Promise.all([
      startOpenBao({ tls: true }),
      startPostgres({ source, database: 'neural_hive' }),
    ]);
    const { address, caFile, rootToken } = bao;
    root = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token: rootToken }) });
    superuser = await open(postgres.superuser.user, postgres.superuser.password);
    const { vaultAdmin } = await databaseBootstrap(superuser);
    const { socketFolder, port } = postgres;
    parameters = {
      lifetimes: EMBEDDED_LIFETIMES,
      jwt: { publicKeys: [publicKey] },
      kubernetes: { host: 'https://127.0.0.1:6443', ca: readFileSync(caFile, 'utf8'), reviewerToken },
      spiffeBundle: readFileSync(caFile, 'utf8'),
      postgres: {
        url: `host=${socketFolder} port=${port} dbname=neural_hive user={{username}} password={{password}}`,
        username: vaultAdmin.username,
        ...(vaultAdmin.password === undefined ? {} : { password: vaultAdmin.password.reveal() }),
      },
      mongodb: { url: 'mongodb://localhost', username: 'admin' },
    };
  });

  afterEach(async () => {
    await Promise.all(sessions.filter((session) => session !== superuser).map((session) => session.end()));
    sessions.splice(0, sessions.length, superuser);
  });

  afterAll(async () => {
    await superuser.end();
    await root.close();
    await Promise.all([bao.stop(), postgres.stop()]);
  });

  test('a plan writes nothing, the first run makes everything, the second changes nothing', async () => {
    const setup = platformSetup(parameters);
    const plan = await applyVaultSetup(root, setup, { plan: true });
    expect(plan.created).toContain('policy worker-agents');
    expect(await root.sys.policies.list()).not.toContain('worker-agents');

    const first = await applyVaultSetup(root, setup);
    expect(first.created).toEqual(expect.arrayContaining(['jwt role orchestrator-dynamic', 'pki root']));
    expect(first.unavailable.map(({ name }) => name)).toEqual([
      'database connection mongodb',
      'database role mongodb-orchestrator',
    ]);

    const second = await applyVaultSetup(root, platformSetup(withoutSecrets(parameters)));
    expect(second).toMatchObject({ created: [], updated: [], unavailable: first.unavailable });
    expect(second.unchanged).toHaveLength(first.created.length + first.unchanged.length);
  });

  test('a change by hand is found, named and taken back', async () => {
    const path = 'auth/jwt/role/worker-agents';
    const body = { role_type: 'jwt', user_claim: 'sub', bound_subject: 'spiffe://evil/x', token_ttl: 80 };
    await root.request({ method: 'POST', path, body });
    const report = await applyVaultSetup(root, platformSetup(withoutSecrets(parameters)));
    expect(report.updated).toEqual([
      { name: 'jwt role worker-agents', fields: expect.arrayContaining(['bound_subject', 'token_ttl']) },
    ]);
    const { data } = await root.request({ method: 'GET', path });
    expect(data.bound_subject).toBe(SPIFFE_IDS.worker);
  });

  test('a migrator makes objects that the owner owns, in its schema only, and its session ends with the lease', async () => {
    const login = await lease(migratorRole('releases'));
    const session = await openLease(login);
    await session.query('CREATE TABLE releases.sample AS SELECT 1 AS value');
    await session.query(
      'GRANT USAGE ON SCHEMA releases TO releases_ro; GRANT SELECT ON releases.sample TO releases_ro',
    );
    const owner = await superuser.query(`SELECT tableowner FROM pg_tables WHERE tablename = 'sample'`);
    expect(owner.rows).toEqual([{ tableowner: 'releases_owner' }]);
    await expect(session.query('CREATE TABLE tickets.sample ()')).rejects.toThrow('permission denied');
    await expect(session.query('SET ROLE tickets_owner')).rejects.toThrow('permission denied');

    await login.revoke();
    await expect(session.query('SELECT 1')).rejects.toThrow();
    expect(await roleCount(login.value.username)).toBe(0);
    expect(await sessionCount(login.value.username)).toBe(0);
  });

  test('worker-query reads the releases and can write nothing, anywhere', async () => {
    const login = await lease(DATABASE_ROLES.workerQuery);
    const session = await openLease(login);
    expect((await session.query('SELECT value FROM releases.sample')).rows).toEqual([{ value: 1 }]);
    const insert = 'INSERT INTO releases.sample VALUES (2)';
    await expect(session.query(insert)).rejects.toThrow('read-only transaction');
    await session.query('SET default_transaction_read_only = off');
    await expect(session.query(insert)).rejects.toThrow('permission denied');
    await expect(session.query('CREATE TABLE releases.mine ()')).rejects.toThrow('permission denied');
    await expect(session.query('CREATE TEMP TABLE mine ()')).rejects.toThrow('permission denied');
    await expect(session.query('SET ROLE releases_owner')).rejects.toThrow('permission denied');
    await login.revoke();
    expect(await roleCount(login.value.username)).toBe(0);
  });

  test.each([
    [DATABASE_ROLES.orchestrator, ['orchestrator_rw', 'tickets_rw']],
    [DATABASE_ROLES.workerTickets, ['tickets_worker']],
  ])('%s belongs to its groups, runs no DDL and becomes no owner', async (role, groups) => {
    const login = await lease(role);
    const session = await openLease(login);
    const member = await session.query(`SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
      WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = current_user) ORDER BY 1`);
    expect(member.rows.map((row: { rolname: string }) => row.rolname)).toEqual(groups);
    for (const schema of ['orchestrator', 'tickets', 'releases', 'public']) {
      await expect(session.query(`CREATE TABLE ${schema}.t ()`)).rejects.toThrow('permission denied');
    }
    await expect(session.query('SET ROLE orchestrator_owner')).rejects.toThrow('permission denied');
    await expect(session.query('SET ROLE vault_admin')).rejects.toThrow('permission denied');
    await expect(session.query('SELECT * FROM releases.sample')).rejects.toThrow('permission denied');
    await login.revoke();
    await expect(session.query('SELECT 1')).rejects.toThrow();
    expect(await roleCount(login.value.username)).toBe(0);
  });

  test('a pool that reconnects at once does not slip in while its login is revoked', async () => {
    const login = await lease(DATABASE_ROLES.orchestrator);
    const { username, password } = login.value;
    await openLease(login);
    let going = true;
    const reconnect = async (): Promise<void> => {
      while (going) {
        await open(username, password.reveal()).then(
          (session) => session.query('SELECT pg_sleep(10)').catch(() => {}),
          () => delay(1),
        );
      }
    };
    const storm = Promise.all(Array.from({ length: 4 }, reconnect));
    await login.revoke();
    expect(await roleCount(username)).toBe(0);
    expect(await sessionCount(username)).toBe(0);
    going = false;
    await storm;
  });

  test('the announcement users of one rotator can be dropped by the next, sessions included', async () => {
    const first = await lease(ANNOUNCE_ROTATOR_ROLE);
    const maker = await openLease(first);
    for (const statement of createAnnouncementUser('announce_a', 'secret-a')) await maker.query(statement);
    const listener = await open('announce_a', 'secret-a');
    await listener.query('LISTEN tickets_ready');
    await expect(listener.query('SELECT * FROM releases.sample')).rejects.toThrow('permission denied');
    await expect(listener.query('CREATE ROLE other')).rejects.toThrow('permission denied');
    await first.revoke();
    expect(await sessionCount('announce_a')).toBe(1);

    const second = await lease(ANNOUNCE_ROTATOR_ROLE);
    const dropper = await openLease(second);
    for (const statement of createAnnouncementUser('announce_b', 'secret-b')) await dropper.query(statement);
    for (const statement of dropAnnouncementUser('announce_a')) await dropper.query(statement);
    await expect(listener.query('SELECT 1')).rejects.toThrow();
    expect(await roleCount('announce_a')).toBe(0);
    expect(await roleCount('announce_b')).toBe(1);
    await expect(dropper.query('CREATE TABLE orchestrator.t ()')).rejects.toThrow('permission denied');
    for (const statement of dropAnnouncementUser('announce_b')) await dropper.query(statement);
    await second.revoke();
  });

  test('a policy lets a service have its own logins and revoke its own leases, and no others', async () => {
    const made = await root.request({
      method: 'POST',
      path: 'auth/token/create',
      body: { policies: ['worker-agents'], no_default_policy: true, ttl: '60s' },
    });
    const token = made.auth?.token.reveal() ?? '';
    const { address, caFile } = bao;
    const worker = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token }) });
    const refused = { code: 'permission-denied' };
    const own = await worker.database().credentials(DATABASE_ROLES.workerTickets);
    await own.revoke();
    await expect(worker.database().credentials(DATABASE_ROLES.orchestrator)).rejects.toMatchObject(refused);
    await expect(worker.database().credentials(migratorRole('tickets'))).rejects.toMatchObject(refused);
    const foreign = await lease(DATABASE_ROLES.orchestrator);
    const body = { lease_id: foreign.leaseId };
    await expect(worker.request({ method: 'PUT', path: 'sys/leases/revoke', body })).rejects.toMatchObject(refused);

    await worker.kv().write('worker/results/t1', { secret: 'value' });
    await expect(worker.kv().read('worker/results/t1')).rejects.toMatchObject(refused);
    await expect(worker.kv().read('orchestrator/kafka')).rejects.toMatchObject(refused);
    const certificate = await worker.pki().issue('neural-hive-services', {
      commonName: 'worker-agents.neural-hive.local',
    });
    expect(certificate).toBeDefined();
    const uriSans = ['spiffe://neural-hive.local/operator'];
    const impostor = worker.pki().issue('neural-hive-services', { commonName: 'x.neural-hive.local', uriSans });
    await expect(impostor).rejects.toThrow();
    await foreign.revoke();
    await worker.close();
  });

  test('a role takes the JWT-SVID of its workload for this audience only, for as long as it lives', async () => {
    const { address, caFile } = bao;
    const logIn = async (role: string, claims: Record<string, unknown> = {}): Promise<readonly string[]> => {
      const auth = jwtAuth({ role, fetchToken: async () => jwtSvid(claims) });
      const client = await VaultClient.open({ address, ca: { file: caFile }, auth });
      const { data } = await client.request({ method: 'GET', path: 'auth/token/lookup-self' });
      await client.close();
      expect(data).toMatchObject({ creation_ttl: EMBEDDED_LIFETIMES.tokenSeconds });
      return data.policies as string[];
    };
    expect(await logIn('worker-agents')).toEqual(['worker-agents']);
    const past = Math.floor(Date.now() / 1000) - 10;
    await expect(logIn('orchestrator-dynamic')).rejects.toThrow();
    await expect(logIn('worker-agents', { sub: SPIFFE_IDS.operator })).rejects.toThrow();
    await expect(logIn('worker-agents', { aud: [AUDIENCES.registry] })).rejects.toThrow();
    await expect(logIn('worker-agents', { iss: 'https://elsewhere.example' })).rejects.toThrow();
    await expect(logIn('worker-agents', { exp: past })).rejects.toThrow();
    await expect(logIn('vault-bootstrap')).rejects.toThrow();
  });

  test('the login of the engine is in no answer of the server', async () => {
    const { data } = await root.request({ method: 'GET', path: `database/config/${POSTGRES_CONNECTION}` });
    expect(JSON.stringify(data)).toContain('vault_admin');
    expect(JSON.stringify(data)).not.toContain(parameters.postgres?.password ?? 'missing');
  });
});

import { availableSources, chooseRunAs, type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseBootstrap } from './bootstrap.ts';

describe.each(availableSources(chooseRunAs()))('the bootstrap on the server found by %s', (source) => {
  let server: EmbeddedPostgres;
  let superuser: Client;

  const connect = async (login: { user: string; password: string }): Promise<Client> => {
    const client = new Client({ host: server.socketFolder, port: server.port, database: server.database, ...login });
    await client.connect();
    return client;
  };

  beforeAll(async () => {
    server = await startPostgres({ source, database: 'neural_hive' });
    superuser = await connect(server.superuser);
  });

  afterAll(async () => {
    await superuser.end();
    await server.stop();
  });

  test('makes everything once; a second call changes nothing and gives no password', async () => {
    const first = await databaseBootstrap(superuser);
    expect(first.changed).toContain('schema tickets');
    const { username, password } = first.vaultAdmin;
    const admin = await connect({ user: username, password: password?.reveal() ?? '' });
    await admin.end();

    const second = await databaseBootstrap(superuser);
    expect(second).toEqual({ changed: [], vaultAdmin: { username, password: undefined } });
  });

  test('a new password is given when it is asked for, and the old one stops working', async () => {
    const first = await databaseBootstrap(superuser, { newAdminPassword: true });
    const second = await databaseBootstrap(superuser, { newAdminPassword: true });
    expect(second.changed).toEqual(['password of vault_admin']);
    const user = second.vaultAdmin.username;
    await (await connect({ user, password: second.vaultAdmin.password?.reveal() ?? '' })).end();
    const old = connect({ user, password: first.vaultAdmin.password?.reveal() ?? '' });
    await expect(old).rejects.toThrow('password authentication failed');
  });

  test('what somebody opened again is closed again', async () => {
    await superuser.query('GRANT CREATE ON SCHEMA public TO PUBLIC; GRANT CONNECT ON DATABASE neural_hive TO PUBLIC');
    const { changed } = await databaseBootstrap(superuser);
    expect(changed).toEqual(['database closed to PUBLIC', 'schema public closed to PUBLIC']);
  });

  test('a login without a group can neither connect nor see a schema', async () => {
    await superuser.query(`CREATE ROLE stranger LOGIN PASSWORD 'x'`);
    await expect(connect({ user: 'stranger', password: 'x' })).rejects.toThrow('permission denied for database');
    await superuser.query(`GRANT orchestrator_rw TO stranger`);
    const member = await connect({ user: 'stranger', password: 'x' });
    await expect(member.query('CREATE TABLE public.t ()')).rejects.toThrow('permission denied for schema public');
    await expect(member.query('CREATE TEMP TABLE t ()')).rejects.toThrow('permission denied to create temporary');
    await expect(member.query('CREATE TABLE tickets.t ()')).rejects.toThrow('permission denied for schema tickets');
    await member.end();
    await superuser.query('DROP ROLE stranger');
  });

  test('a function of an owner is callable by nobody until it is granted', async () => {
    await superuser.query(`SET ROLE orchestrator_owner; CREATE FUNCTION orchestrator.f() RETURNS int
      LANGUAGE sql AS 'SELECT 1'; GRANT USAGE ON SCHEMA orchestrator TO orchestrator_rw; RESET ROLE`);
    await superuser.query('SET ROLE orchestrator_rw');
    await expect(superuser.query('SELECT orchestrator.f()')).rejects.toThrow('permission denied for function');
    await superuser.query('RESET ROLE; GRANT EXECUTE ON FUNCTION orchestrator.f() TO orchestrator_rw');
    await superuser.query('SET ROLE orchestrator_rw');
    expect((await superuser.query('SELECT orchestrator.f()')).rows).toEqual([{ f: 1 }]);
    await superuser.query('RESET ROLE');
  });

  test('the login of the engine is no superuser, and from 16 on it cannot use the data', async () => {
    const { rows } = await superuser.query(`SELECT rolsuper, rolcreatedb, rolreplication, rolbypassrls,
      pg_has_role('vault_admin', 'orchestrator_owner', 'USAGE') AS uses FROM pg_roles WHERE rolname = 'vault_admin'`);
    expect(rows).toEqual([
      { rolsuper: false, rolcreatedb: false, rolreplication: false, rolbypassrls: false, uses: false },
    ]);
  });
});

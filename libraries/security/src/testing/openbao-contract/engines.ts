import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import pg from 'pg';
import { rejectsWith, type Topic } from '../vault-contract/topic.ts';
import { DATABASE_MOUNT, PKI_MOUNT, PKI_ROLE } from '../vault-target.ts';

/** Engines, and calls of engines, that the dev authority lacks. */
export const engines: Topic = (test, vault) => {
  test('the first version of the KV engine keeps one value a path', async () => {
    await vault().root.sys.mounts.enable('contract-kv1', { type: 'kv', options: { version: '1' } });
    const kv = vault().root.kv1('contract-kv1');
    await kv.write('team/one', { color: 'red', size: 1 });
    await kv.write('team/one', { color: 'blue' });
    assert.deepEqual((await kv.read('team/one')).data, { color: 'blue' });
    assert.ok((await kv.read('team/one')).refreshSeconds > 0);
    assert.deepEqual(await kv.list(''), ['team/']);
    assert.deepEqual(await kv.list('team'), ['one']);
    await kv.delete('team/one');
    await rejectsWith(kv.read('team/one'), 'not-found');
    assert.deepEqual(await kv.list(''), []);
  });

  test('the cubbyhole is for one token and ends with it', async () => {
    await using client = await vault().login('steady');
    await client.cubbyhole().write('mine', { value: 1 });
    assert.deepEqual((await client.cubbyhole().read('mine')).data, { value: 1 });
    assert.deepEqual(await client.cubbyhole().list(''), ['mine']);
    await rejectsWith(vault().root.cubbyhole().read('mine'), 'not-found');
    await client.rotateToken();
    await rejectsWith(client.cubbyhole().read('mine'), 'not-found');
  });

  test('a static role keeps its name while its password changes', async () => {
    const { root, observer, target } = vault();
    await observer.query("CREATE ROLE contract_static LOGIN PASSWORD 'first'");
    await vault().write(`${DATABASE_MOUNT}/static-roles/fixed`, {
      db_name: 'contract',
      username: 'contract_static',
      rotation_period: '1h',
    });
    const database = root.database(DATABASE_MOUNT);
    const first = await database.staticCredentials('fixed');
    assert.equal(first.username, 'contract_static');
    assert.equal(first.rotationPeriodSeconds, 3_600);
    assert.ok(first.ttlSeconds > 3_500 && first.ttlSeconds <= 3_600);
    await database.rotateRole('fixed');
    const second = await database.staticCredentials('fixed');
    assert.notEqual(second.password.reveal(), first.password.reveal());
    assert.ok(second.lastRotationAtMs >= first.lastRotationAtMs);
    const { host, port, database: name } = target.postgres;
    const login = { host, port, database: name, user: second.username };
    const session = new pg.Client({ ...login, password: second.password.reveal() });
    await session.connect();
    await session.end();
    await rejectsWith(database.staticCredentials('absent'), 'invalid-request');
  });

  test('the login of the server itself is changed, and still works', async () => {
    const { root, observer, target } = vault();
    const { host, port, database } = target.postgres;
    await observer.query("CREATE ROLE contract_operator LOGIN CREATEROLE PASSWORD 'known'");
    await vault().write(`${DATABASE_MOUNT}/config/operated`, {
      plugin_name: 'postgresql-database-plugin',
      allowed_roles: ['*'],
      connection_url: `postgresql://{{username}}:{{password}}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
      username: 'contract_operator',
      password: 'known',
    });
    const password = async (): Promise<unknown> => {
      const text = "SELECT rolpassword FROM pg_authid WHERE rolname = 'contract_operator'";
      return (await observer.query<{ rolpassword: string }>(text)).rows[0]?.rolpassword;
    };
    const before = await password();
    await root.database(DATABASE_MOUNT).rotateRoot('operated');
    assert.notEqual(await password(), before);
    await vault().write(`${DATABASE_MOUNT}/roles/operated`, {
      db_name: 'operated',
      default_ttl: 60,
      creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`],
      revocation_statements: ['DROP ROLE "{{name}}"'],
    });
    const lease = await root.database(DATABASE_MOUNT).credentials('operated');
    assert.ok(await vault().hasRole(lease.value.username));
    await lease.revoke();
  });

  test('the revocation list is signed by the issuer', async () => {
    const pki = vault().root.pki(PKI_MOUNT);
    const { serialNumber } = await pki.issueForOwnKey(PKI_ROLE, { commonName: 'listed.contract.test' });
    await pki.revoke(serialNumber);
    assert.match(await pki.crl(), /^-----BEGIN X509 CRL-----/);
  });

  test('a request for each kind of key is signed', async () => {
    const pki = vault().root.pki(PKI_MOUNT);
    const role = { allowed_domains: ['contract.test'], allow_subdomains: true, key_type: 'any', max_ttl: '1h' };
    await vault().write(`${PKI_MOUNT}/roles/any-key`, role);
    for (const keyType of ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-3072'] as const) {
      const request = { commonName: 'any.contract.test', ipSans: [], keyType };
      const { certificatePem } = await pki.issueForOwnKey('any-key', request);
      assert.match(new X509Certificate(certificatePem).subject, /any\.contract\.test/);
    }
  });
};

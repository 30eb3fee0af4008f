import assert from 'node:assert/strict';
import pg from 'pg';
import type { LeaseEnding } from '../../vault/index.ts';
import { DATABASE_MOUNT } from '../vault-target.ts';
import { earliest, rejectsWith, type Topic } from './topic.ts';

/** The life of a lease. */
export const leases: Topic = (test, vault) => {
  test('a leased login works until it is revoked', async () => {
    await using client = await vault().login('steady');
    const lease = await client.database(DATABASE_MOUNT).credentials('steady');
    const { username, password } = lease.value;
    const { host, port, database } = vault().target.postgres;
    const session = new pg.Client({ host, port, database, user: username, password: password.reveal() });
    session.on('error', () => undefined);
    await session.connect();
    await session.query("INSERT INTO contract_rows (note) VALUES ('leased')");
    assert.ok(await vault().hasRole(username));
    assert.equal(client.leases.list().length, 1);
    await lease.revoke();
    await lease.revoke();
    assert.equal(await vault().hasRole(username), false);
    assert.equal(client.leases.list().length, 0);
  });

  test('closing a client revokes its leases and its token', async () => {
    const client = await vault().login('steady');
    const { username } = (await client.database(DATABASE_MOUNT).credentials('steady')).value;
    const { accessor } = client.token;
    const lookup = () =>
      vault().root.request({ method: 'POST', path: 'auth/token/lookup-accessor', body: { accessor }, safe: true });
    await lookup();
    assert.ok(await vault().hasRole(username));
    await client.close();
    assert.equal(await vault().hasRole(username), false);
    await assert.rejects(lookup());
  });

  test('a lease that its maximum lifetime does not let grow asks to be replaced', async () => {
    await vault().databaseRole('fixed', 10, 10);
    await using client = await vault().login('steady', { random: earliest });
    const lease = await client.database(DATABASE_MOUNT).credentials('fixed');
    const ending = await new Promise<LeaseEnding>((resolve) => lease.onEnding(resolve));
    assert.equal(ending, 'max-ttl');
    assert.ok(Date.now() < lease.expiresAtMs);
  });

  test('a lease that can grow is renewed', async () => {
    await vault().databaseRole('growing', 4, 600);
    await using client = await vault().login('steady', { random: earliest });
    const lease = await client.database(DATABASE_MOUNT).credentials('growing');
    const before = lease.expiresAtMs;
    await new Promise<void>((resolve) => {
      client.leases.onChange(({ type }) => {
        if (type === 'renewed') resolve();
      });
    });
    assert.ok(lease.expiresAtMs > before);
  });

  test('a lease that somebody revokes asks to be replaced at its next renewal', async () => {
    await vault().databaseRole('revoked', 4, 600);
    await using client = await vault().login('steady', { random: earliest });
    const lease = await client.database(DATABASE_MOUNT).credentials('revoked');
    const ending = new Promise<LeaseEnding>((resolve) => lease.onEnding(resolve));
    await vault().root.sys.leases.revoke(lease.leaseId);
    assert.equal(await ending, 'renewal-refused');
    await rejectsWith(vault().root.sys.leases.renew(lease.leaseId), 'lease-not-found');
    await rejectsWith(vault().root.sys.leases.lookup(lease.leaseId), 'lease-not-found');
  });

  test('a role that is deleted gives no new login, and one that never was neither', async () => {
    await vault().databaseRole('deleted', 60, 600);
    await using client = await vault().login('steady');
    const database = client.database(DATABASE_MOUNT);
    await (await database.credentials('deleted')).revoke();
    await vault().root.request({ method: 'DELETE', path: `${DATABASE_MOUNT}/roles/deleted` });
    for (const role of ['deleted', 'never-was']) await rejectsWith(database.credentials(role), 'invalid-request');
    assert.equal(client.token.generation, 1);
  });
};

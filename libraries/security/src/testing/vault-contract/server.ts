import assert from 'node:assert/strict';
import { DATABASE_MOUNT, KV_MOUNT } from '../vault-target.ts';
import type { Topic } from './topic.ts';

/** The server's own paths. */
export const server: Topic = (test, vault) => {
  test('health tells the state of the server and of the token', async () => {
    await using client = await vault().login('steady');
    const health = await client.health();
    assert.equal(health.state, 'healthy');
    assert.equal(health.server?.sealed, false);
    assert.equal(health.breaker, 'closed');
  });

  test('the administrative calls round-trip', async () => {
    const { sys } = vault().root;
    assert.match(await sys.policies.read('contract'), /contract-kv/);
    assert.ok((await sys.policies.list()).includes('contract'));
    assert.equal((await sys.mounts.list())[KV_MOUNT]?.type, 'kv');
    assert.equal((await sys.auth.list())['contract-jwt']?.type, 'jwt');
    const { leases } = sys;
    const lease = await vault().root.database(DATABASE_MOUNT).credentials('steady');
    const { ttlSeconds } = await leases.lookup(lease.leaseId);
    assert.ok(ttlSeconds > 590 && ttlSeconds <= 600);
    assert.equal((await leases.renew(lease.leaseId)).leaseSeconds, 600);
    await leases.revoke(lease.leaseId);
    await leases.revoke(lease.leaseId);
  });

  test('the server says that it is active and not sealed', async () => {
    const { sys } = vault().root;
    const { state, initialized, version } = await sys.health();
    assert.deepEqual([state, initialized], ['active', true]);
    const seal = await sys.sealStatus();
    assert.deepEqual([seal.sealed, seal.initialized, seal.threshold, seal.shares], [false, true, 1, 1]);
    assert.equal(seal.version, version);
  });
};

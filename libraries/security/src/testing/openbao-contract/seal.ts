import assert from 'node:assert/strict';
import { rejectsWith, type Topic } from '../vault-contract/topic.ts';
import { KV_MOUNT } from '../vault-target.ts';

/** The end of the server: nothing else works after it. */
export const seal: Topic = (test, vault) => {
  test('a server that was sealed says so to every call, and on its health path', async () => {
    const client = await vault().login('steady', { maxRetries: 0 });
    await client.kv(KV_MOUNT).list('app');
    await vault().root.request({ method: 'PUT', path: 'sys/seal' });
    await rejectsWith(client.kv(KV_MOUNT).list('app'), 'sealed');
    await rejectsWith(client.rotateToken(), 'sealed');
    assert.equal((await client.sys.health()).state, 'sealed');
    assert.equal((await client.sys.sealStatus()).sealed, true);
    assert.equal((await client.health()).state, 'unhealthy');
    await client.destroy();
  });
};

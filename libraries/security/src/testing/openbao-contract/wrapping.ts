import assert from 'node:assert/strict';
import { rejectsWith, type Topic } from '../vault-contract/topic.ts';
import { KV_MOUNT } from '../vault-target.ts';

/** Response wrapping. */
export const wrapping: Topic = (test, vault) => {
  test('what is wrapped is had once', async () => {
    const { wrapping: own } = vault().root;
    const { token, ttlSeconds, creationPath } = await own.wrap({ password: 'one' }, { ttlSeconds: 60 });
    assert.deepEqual([ttlSeconds, creationPath], [60, 'sys/wrapping/wrap']);
    const found = await own.lookup(token);
    assert.deepEqual([found.creationPath, found.ttlSeconds], [creationPath, 60]);
    // Another client, whose own token may nothing: the wrapping token is enough.
    await using other = await vault().login('steady');
    assert.deepEqual((await other.wrapping.unwrap(token, { creationPath })).data, { password: 'one' });
    await rejectsWith(other.wrapping.unwrap(token, { creationPath }), 'invalid-request');
    await rejectsWith(own.lookup(token), 'invalid-request');
  });

  test('the answer to any call is wrapped instead of shown', async () => {
    const { root } = vault();
    await root.kv(KV_MOUNT).write('app/wrapped', { password: 'two' });
    const call = { method: 'GET', path: `${KV_MOUNT}/data/app/wrapped` } as const;
    const { token, creationPath } = await root.wrapping.wrapAnswer(call, { ttlSeconds: 60 });
    assert.equal(creationPath, call.path);
    const { data } = await root.wrapping.unwrap(token, { creationPath });
    assert.deepEqual((data as { data: unknown }).data, { password: 'two' });
  });

  test('a token with the answer of another path is refused, and stays unopened', async () => {
    const { wrapping: own } = vault().root;
    const { token, creationPath } = await own.wrap({ password: 'three' }, { ttlSeconds: 60 });
    const unexpected = own.unwrap(token, { creationPath: 'auth/approle/role/r/secret-id' });
    await rejectsWith(unexpected, 'wrapping-mismatch');
    assert.deepEqual((await own.unwrap(token, { creationPath })).data, { password: 'three' });
  });

  test('rewrapping moves it to another token', async () => {
    const { wrapping: own } = vault().root;
    const first = await own.wrap({ password: 'four' }, { ttlSeconds: 60 });
    const second = await own.rewrap(first.token);
    await rejectsWith(own.lookup(first.token), 'invalid-request');
    assert.deepEqual((await own.unwrap(second.token, second)).data, { password: 'four' });
  });
};

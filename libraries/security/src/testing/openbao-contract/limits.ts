import assert from 'node:assert/strict';
import { tokenAuth, VaultClient } from '../../vault/index.ts';
import { rejectsWith, type Topic } from '../vault-contract/topic.ts';

const MOUNT = 'contract-limited';

/** What a server does when it wants less. */
export const limits: Topic = (test, vault) => {
  test('a rate limit is told as such, and does not open the breaker', async () => {
    const { root, target } = vault();
    await root.sys.mounts.enable(MOUNT, { type: 'kv', options: { version: '1' } });
    await root.kv1(MOUNT).write('a', { n: 1 });
    const quota = 'sys/quotas/rate-limit/contract';
    await vault().write(quota, { path: `${MOUNT}/`, rate: 1, interval: '1h' });
    const { address, caPem: ca, rootToken: token } = target;
    await using client = await VaultClient.open({ address, ca, auth: tokenAuth({ token }), maxRetries: 0 });
    const limited = async (): Promise<void> => {
      for (;;) await client.kv1(MOUNT).read('a');
    };
    for (let call = 0; call < 6; call += 1) await rejectsWith(limited(), 'rate-limited');
    const { breaker } = await client.health();
    assert.equal(breaker, 'closed');
    await root.request({ method: 'DELETE', path: quota });
    await client.kv1(MOUNT).read('a');
  });
};

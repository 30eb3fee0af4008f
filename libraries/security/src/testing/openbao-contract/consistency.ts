import assert from 'node:assert/strict';
import type { Topic } from '../vault-contract/topic.ts';
import { KV_MOUNT } from '../vault-target.ts';

/** What a client reads after what it wrote. */
export const consistency: Topic = (test, vault) => {
  test('a hundred reads after writes each see what was written', async () => {
    const kv = vault().root.kv(KV_MOUNT);
    for (let n = 1; n <= 100; n += 1) {
      await kv.write('app/consistent', { n });
      assert.equal((await kv.read<{ n: number }>('app/consistent')).data.n, n);
    }
  });
};

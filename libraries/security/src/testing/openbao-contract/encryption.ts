import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rejectsWith, type Topic } from '../vault-contract/topic.ts';

const MOUNT = 'contract-transit';

/** The transit engine. */
export const encryption: Topic = (test, vault) => {
  const transit = () => vault().root.transit(MOUNT);

  test('what is encrypted is decrypted, also by a key that was rotated since', async () => {
    await vault().root.sys.mounts.enable(MOUNT, { type: 'transit' });
    await transit().createKey('orders');
    await transit().createKey('orders');
    const bytes = Buffer.from([0, 1, 2, 254, 255]);
    const sealed = await transit().encrypt('orders', bytes);
    assert.match(sealed, /^vault:v1:/);
    await transit().rotate('orders');
    assert.equal((await transit().key('orders')).latestVersion, 2);
    assert.deepEqual((await transit().decrypt('orders', sealed)).reveal(), bytes);
    const rewrapped = await transit().rewrap('orders', sealed);
    assert.match(rewrapped, /^vault:v2:/);
    assert.deepEqual((await transit().decrypt('orders', rewrapped)).reveal(), bytes);
    await transit().configureKey('orders', { minDecryptionVersion: 2, deletionAllowed: true });
    await rejectsWith(transit().decrypt('orders', sealed), 'invalid-request');
    await transit().deleteKey('orders');
    await rejectsWith(transit().key('orders'), 'not-found');
  });

  test('a ciphertext is bound to its associated data, and a derived key to its context', async () => {
    await transit().createKey('bound');
    const sealed = await transit().encrypt('bound', 'grüße', { associatedData: 'order 1' });
    const opened = await transit().decrypt('bound', sealed, { associatedData: 'order 1' });
    assert.equal(opened.reveal().toString('utf8'), 'grüße');
    await rejectsWith(transit().decrypt('bound', sealed, { associatedData: 'order 2' }), 'invalid-request');
    await transit().createKey('derived', { derived: true });
    const context = 'tenant 1';
    const own = await transit().encrypt('derived', 'x', { context });
    assert.equal((await transit().decrypt('derived', own, { context })).reveal().toString(), 'x');
    await assert.rejects(transit().decrypt('derived', own, { context: 'tenant 2' }));
  });

  test('a signature verifies for what was signed and for nothing else', async () => {
    for (const type of ['ecdsa-p256', 'rsa-2048', 'ed25519']) {
      const key = `sign-${type}`;
      await transit().createKey(key, { type });
      const signature = await transit().sign(key, 'the order');
      assert.equal(await transit().verify(key, 'the order', signature), true);
      assert.equal(await transit().verify(key, 'another order', signature), false);
    }
    const digest = createHash('sha384').update('the order').digest();
    const options = { prehashed: true, hash: 'sha2-384', signatureAlgorithm: 'pkcs1v15' } as const;
    const signature = await transit().sign('sign-rsa-2048', digest, options);
    assert.equal(await transit().verify('sign-rsa-2048', digest, signature, options), true);
  });

  test('a MAC verifies for what it was made of and for nothing else', async () => {
    await transit().createKey('mac');
    const mac = await transit().hmac('mac', 'the order', { hash: 'sha2-512' });
    assert.equal(await transit().verifyHmac('mac', 'the order', mac, { hash: 'sha2-512' }), true);
    assert.equal(await transit().verifyHmac('mac', 'another order', mac, { hash: 'sha2-512' }), false);
  });
};

import assert from 'node:assert/strict';
import { kvSecret, RotatingCredential, type RotationOutcome } from '../../credentials/index.ts';
import { KV_MOUNT } from '../vault-target.ts';
import { rejectsWith, type Topic } from './topic.ts';

/** The KV engine. */
export const secrets: Topic = (test, vault) => {
  test('a secret is written, read, listed and deleted', async () => {
    await using client = await vault().login('steady');
    const kv = client.kv(KV_MOUNT);
    assert.deepEqual(await kv.write('app/one', { color: 'red' }), { version: 1 });
    assert.deepEqual(await kv.write('app/one', { color: 'blue' }), { version: 2 });
    assert.equal((await kv.read<{ color: string }>('app/one')).data.color, 'blue');
    assert.equal((await kv.read<{ color: string }>('app/one', { version: 1 })).data.color, 'red');
    await kv.writeMetadata('app/one', { customMetadata: { generation: '7' } });
    const metadata = await kv.metadata('app/one');
    assert.equal(metadata.currentVersion, 2);
    assert.equal(metadata.customMetadata.generation, '7');
    assert.deepEqual(await kv.list('app'), ['one']);
    await kv.delete('app/one');
    await rejectsWith(kv.read('app/one'), 'not-found');
    await kv.destroyAll('app/one');
    assert.deepEqual(await kv.list('app'), []);
    await rejectsWith(kv.read('app/absent'), 'not-found');
  });

  test('a write that expects another version is refused', async () => {
    await using client = await vault().login('steady');
    const kv = client.kv(KV_MOUNT);
    await kv.write('app/cas', { n: 1 }, { cas: 0 });
    await kv.write('app/cas', { n: 2 }, { cas: 1 });
    await rejectsWith(kv.write('app/cas', { n: 3 }, { cas: 1 }), 'cas-mismatch');
  });

  test('a new version of a secret makes a new generation', async () => {
    await using client = await vault().login('steady');
    const kv = client.kv(KV_MOUNT);
    await kv.write('app/watched', { password: 'one' });
    const provider = kvSecret<{ password: string }>(client, 'app/watched', { mount: KV_MOUNT, pollMs: 50 });
    await using credential = await RotatingCredential.open({ provider });
    const rotated = new Promise<RotationOutcome>((resolve) => credential.onRotation(resolve));
    assert.equal(credential.current().value.password, 'one');
    await kv.write('app/watched', { password: 'two' });
    assert.equal((await rotated).reason, 'changed');
    assert.equal(credential.current().value.password, 'two');
    assert.equal(credential.current().generation, 2);
  });

  test('single fields of a secret are changed, removed and kept', async () => {
    await using client = await vault().login('steady');
    const kv = client.kv(KV_MOUNT);
    await kv.write('app/patched', { color: 'red', size: 1, old: true });
    assert.deepEqual(await kv.patch('app/patched', { color: 'blue', old: null }), { version: 2 });
    assert.deepEqual((await kv.read('app/patched')).data, { color: 'blue', size: 1 });
    await rejectsWith(kv.patch('app/patched', { size: 2 }, { cas: 1 }), 'cas-mismatch');
    await rejectsWith(kv.patch('app/never-written', { size: 2 }), 'not-found');
  });

  test('versions are deleted, brought back and destroyed one by one', async () => {
    await using client = await vault().login('steady');
    const kv = client.kv(KV_MOUNT);
    for (const n of [1, 2, 3]) await kv.write('app/versions', { n });
    await kv.deleteVersions('app/versions', [1, 2]);
    await rejectsWith(kv.read('app/versions', { version: 1 }), 'not-found');
    await kv.undelete('app/versions', [1]);
    assert.deepEqual((await kv.read('app/versions', { version: 1 })).data, { n: 1 });
    await kv.destroy('app/versions', [3]);
    await rejectsWith(kv.read('app/versions'), 'not-found');
    await kv.undelete('app/versions', [3]);
    await rejectsWith(kv.read('app/versions', { version: 3 }), 'not-found');
    const { versions } = await kv.metadata('app/versions');
    const shown = versions.map((one) => [one.version, one.deletedAtMs !== undefined, one.destroyed]);
    assert.deepEqual(shown, [
      [1, false, false],
      [2, true, false],
      [3, false, true],
    ]);
  });

  test('a secret and a mount say how many versions they keep and whether a write must name one', async () => {
    const kv = vault().root.kv(KV_MOUNT);
    await kv.configure({ maxVersions: 7, deleteVersionAfterSeconds: 86_400 });
    assert.deepEqual(await kv.config(), { maxVersions: 7, casRequired: false, deleteVersionAfterSeconds: 86_400 });
    await kv.configure({ maxVersions: 0, deleteVersionAfterSeconds: 0 });
    await kv.writeMetadata('app/settings', { maxVersions: 2, casRequired: true, customMetadata: { owner: 'team' } });
    await rejectsWith(kv.write('app/settings', { n: 1 }), 'cas-mismatch');
    for (const n of [1, 2, 3]) await kv.write('app/settings', { n }, { cas: n - 1 });
    const metadata = await kv.metadata('app/settings');
    assert.deepEqual([metadata.maxVersions, metadata.casRequired, metadata.oldestVersion], [2, true, 2]);
    assert.deepEqual(metadata.customMetadata, { owner: 'team' });
  });

  test('entries of metadata are changed one by one', async () => {
    const kv = vault().root.kv(KV_MOUNT);
    await kv.writeMetadata('app/entries', { maxVersions: 3, customMetadata: { a: '1', b: '2' } });
    await kv.patchMetadata('app/entries', { customMetadata: { b: null, c: '3' } });
    const { customMetadata, maxVersions } = await kv.metadata('app/entries');
    assert.deepEqual(customMetadata, { a: '1', c: '3' });
    assert.equal(maxVersions, 3);
  });
};

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isVaultError, kubernetesAuth, VaultClient } from '../../vault/index.ts';
import { KUBERNETES_MOUNT, KV_MOUNT } from '../vault-target.ts';
import { rejectsWith, type Topic } from './topic.ts';

/** How a client logs in. */
export const logins: Topic = (test, vault) => {
  test('a JWT for the right audience logs in, one for another is refused', async () => {
    const client = await vault().login('steady');
    assert.equal(client.token.generation, 1);
    assert.ok(client.token.expiresAtMs - client.token.issuedAtMs === 600_000);
    await client.close();
    await assert.rejects(vault().login('steady', { audience: 'another' }), (error) => isVaultError(error));
  });

  test('a service account logs in with the token file as it is then, and one that the cluster refuses does not', async () => {
    const cluster = await vault().kubernetesCluster();
    const folder = mkdtempSync(join(tmpdir(), 'sa-'));
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, `${cluster.goodToken}\n`);
    const { address, caPem: ca } = vault().target;
    const auth = kubernetesAuth({ role: 'app', mount: KUBERNETES_MOUNT, tokenFile });
    const client = await VaultClient.open({ address, ca, auth });
    await client.kv(KV_MOUNT).list('app');
    assert.deepEqual(cluster.reviewed, [cluster.goodToken]);
    writeFileSync(tokenFile, cluster.badToken);
    await rejectsWith(client.rotateToken(), 'permission-denied');
    assert.equal(client.token.generation, 1);
    writeFileSync(tokenFile, cluster.goodToken);
    await client.rotateToken();
    assert.equal(client.token.generation, 2);
    await client.close();
    await cluster.close();
    rmSync(folder, { recursive: true });
  });
};

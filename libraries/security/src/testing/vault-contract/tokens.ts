import assert from 'node:assert/strict';
import { databaseCredentials, RotatingCredential, type RotationOutcome } from '../../credentials/index.ts';
import { DATABASE_MOUNT, KV_MOUNT } from '../vault-target.ts';
import { earliest, rejectsWith, type Topic } from './topic.ts';

/** The life of the client's token. */
export const tokens: Topic = (test, vault) => {
  test('a path that the policy forbids is refused without a new login', async () => {
    await using client = await vault().login('steady');
    await rejectsWith(client.kv(KV_MOUNT).read('other/secret'), 'permission-denied');
    await rejectsWith(client.kv(KV_MOUNT).read('other/secret'), 'permission-denied');
    assert.equal(client.token.generation, 1);
  });

  test('twenty calls that find the token revoked share one login and succeed', async () => {
    await using client = await vault().login('steady');
    const kv = client.kv(KV_MOUNT);
    await kv.write('app/revoked', { n: 1 });
    await vault().write('auth/token/revoke-accessor', { accessor: client.token.accessor });
    const reads = await Promise.all(Array.from({ length: 20 }, () => kv.read<{ n: number }>('app/revoked')));
    assert.ok(reads.every(({ data }) => data.n === 1));
    assert.equal(client.token.generation, 2);
  });

  test('a token is renewed, and replaced before its maximum lifetime ends', async () => {
    await vault().jwtRole('short', 3, 4);
    const replaced: string[] = [];
    await using client = await vault().login('short', { random: earliest, handOverMs: 500 });
    const { issuedAtMs } = client.token;
    const replacement = new Promise<void>((resolve) => {
      client.onTokenReplaced(({ reason }) => {
        replaced.push(reason);
        resolve();
      });
    });
    await replacement;
    assert.ok(Date.now() < issuedAtMs + 4_000, 'replaced after its end');
    assert.equal(replaced[0], 'max-ttl');
    assert.equal(client.token.generation, 2);
    await client.kv(KV_MOUNT).list('app');
  });

  test('replacing the token re-leases what it owned and revokes it last', async () => {
    await using client = await vault().login('steady');
    const provider = databaseCredentials(client, 'steady', { mount: DATABASE_MOUNT });
    await using credential = await RotatingCredential.open({ provider });
    const outcomes: RotationOutcome[] = [];
    credential.onRotation((outcome) => outcomes.push(outcome));
    const { accessor } = client.token;
    const first = credential.current().value.username;
    await client.rotateToken();
    assert.equal(outcomes.length, 1);
    assert.equal(outcomes[0]?.reason, 'token-replaced');
    assert.ok(outcomes[0]?.ok);
    assert.equal(await vault().hasRole(first), false);
    assert.ok(await vault().hasRole(credential.current().value.username));
    const body = { accessor };
    await assert.rejects(vault().root.request({ method: 'POST', path: 'auth/token/lookup-accessor', body }));
    assert.deepEqual(new Set(client.leases.list().map(({ tokenGeneration }) => tokenGeneration)), new Set([2]));
  });

  test('a token that dies takes its leases along and they are leased again', async () => {
    await using client = await vault().login('steady');
    const provider = databaseCredentials(client, 'steady', { mount: DATABASE_MOUNT });
    await using credential = await RotatingCredential.open({ provider, drainTimeoutMs: 200 });
    const rotated = new Promise<RotationOutcome>((resolve) => credential.onRotation(resolve));
    await vault().write('auth/token/revoke-accessor', { accessor: client.token.accessor });
    await client.kv(KV_MOUNT).list('app');
    assert.equal((await rotated).reason, 'lost');
    assert.ok(await vault().hasRole(credential.current().value.username));
  });

  test('a permission that is taken away in between is a refusal, and one that is given back works at once', async () => {
    const { policies } = vault().root.sys;
    const grant = `path "${KV_MOUNT}/metadata/" { capabilities = ["list"] }`;
    await policies.write('contract-passing', grant);
    await vault().jwtRole('passing', 600, 3_600, ['contract-passing']);
    await using client = await vault().login('passing');
    const kv = client.kv(KV_MOUNT);
    await kv.list('');
    await policies.write('contract-passing', 'path "none" { capabilities = ["read"] }');
    await rejectsWith(kv.list(''), 'permission-denied');
    await rejectsWith(kv.list(''), 'permission-denied');
    await policies.write('contract-passing', grant);
    await kv.list('');
    assert.equal(client.token.generation, 1);
  });
};

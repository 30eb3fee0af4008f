import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { databaseCredentials, kvSecret, RotatingCredential, type RotationOutcome } from '../credentials/index.ts';
import { isVaultError, kubernetesAuth, type LeaseEnding, VaultClient, type VaultErrorCode } from '../vault/index.ts';
import {
  ConfiguredVault,
  DATABASE_MOUNT,
  KUBERNETES_MOUNT,
  KV_MOUNT,
  PKI_MOUNT,
  PKI_ROLE,
  SUBJECT,
  type VaultTarget,
} from './vault-target.ts';

/** The functions of the test runner; the suite itself depends on none. */
export interface TestRunner {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
  beforeAll(body: () => Promise<void>): void;
  afterAll(body: () => Promise<void>): void;
}

async function rejectsWith(work: Promise<unknown>, code: VaultErrorCode): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isVaultError(error, code), `expected ${code}, got ${String(error)}`);
    return true;
  });
}

/** Draws every renewal point as early as it may be. */
const earliest = (): number => 0;

/** What the client relies on in a server. Runs on the dev authority and on OpenBao alike. */
export function describeVaultContract(openTarget: () => Promise<VaultTarget>, runner: TestRunner): void {
  const { describe, test, beforeAll, afterAll } = runner;
  let vault: ConfiguredVault;

  describe('the Vault contract', () => {
    beforeAll(async () => {
      vault = await ConfiguredVault.open(await openTarget());
      await vault.jwtRole('steady', 600, 3_600);
      await vault.databaseRole('steady', 600, 3_600);
    });
    afterAll(() => vault?.close());

    test('a JWT for the right audience logs in, one for another is refused', async () => {
      const client = await vault.login('steady');
      assert.equal(client.token.generation, 1);
      assert.ok(client.token.expiresAtMs - client.token.issuedAtMs === 600_000);
      await client.close();
      await assert.rejects(vault.login('steady', { audience: 'another' }), (error) => isVaultError(error));
    });

    test('a service account logs in with the token file as it is then, and one that the cluster refuses does not', async () => {
      const cluster = await vault.kubernetesCluster();
      const folder = mkdtempSync(join(tmpdir(), 'sa-'));
      const tokenFile = join(folder, 'token');
      writeFileSync(tokenFile, `${cluster.goodToken}\n`);
      const { address, caPem: ca } = vault.target;
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

    test('a secret is written, read, listed and deleted', async () => {
      await using client = await vault.login('steady');
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
      await using client = await vault.login('steady');
      const kv = client.kv(KV_MOUNT);
      await kv.write('app/cas', { n: 1 }, { cas: 0 });
      await kv.write('app/cas', { n: 2 }, { cas: 1 });
      await rejectsWith(kv.write('app/cas', { n: 3 }, { cas: 1 }), 'cas-mismatch');
    });

    test('a path that the policy forbids is refused without a new login', async () => {
      await using client = await vault.login('steady');
      await rejectsWith(client.kv(KV_MOUNT).read('other/secret'), 'permission-denied');
      await rejectsWith(client.kv(KV_MOUNT).read('other/secret'), 'permission-denied');
      assert.equal(client.token.generation, 1);
    });

    test('twenty calls that find the token revoked share one login and succeed', async () => {
      await using client = await vault.login('steady');
      const kv = client.kv(KV_MOUNT);
      await kv.write('app/revoked', { n: 1 });
      await vault.write('auth/token/revoke-accessor', { accessor: client.token.accessor });
      const reads = await Promise.all(Array.from({ length: 20 }, () => kv.read<{ n: number }>('app/revoked')));
      assert.ok(reads.every(({ data }) => data.n === 1));
      assert.equal(client.token.generation, 2);
    });

    test('a token is renewed, and replaced before its maximum lifetime ends', async () => {
      await vault.jwtRole('short', 3, 4);
      const replaced: string[] = [];
      await using client = await vault.login('short', { random: earliest, handOverMs: 500 });
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

    test('a leased login works until it is revoked', async () => {
      await using client = await vault.login('steady');
      const lease = await client.database(DATABASE_MOUNT).credentials('steady');
      const { username, password } = lease.value;
      const { host, port, database } = vault.target.postgres;
      const session = new pg.Client({ host, port, database, user: username, password: password.reveal() });
      session.on('error', () => undefined);
      await session.connect();
      await session.query("INSERT INTO contract_rows (note) VALUES ('leased')");
      assert.ok(await vault.hasRole(username));
      assert.equal(client.leases.list().length, 1);
      await lease.revoke();
      await lease.revoke();
      assert.equal(await vault.hasRole(username), false);
      assert.equal(client.leases.list().length, 0);
    });

    test('closing a client revokes its leases and its token', async () => {
      const client = await vault.login('steady');
      const { username } = (await client.database(DATABASE_MOUNT).credentials('steady')).value;
      const { accessor } = client.token;
      const lookup = () =>
        vault.root.request({ method: 'POST', path: 'auth/token/lookup-accessor', body: { accessor }, safe: true });
      await lookup();
      assert.ok(await vault.hasRole(username));
      await client.close();
      assert.equal(await vault.hasRole(username), false);
      await assert.rejects(lookup());
    });

    test('a lease that its maximum lifetime does not let grow asks to be replaced', async () => {
      await vault.databaseRole('fixed', 10, 10);
      await using client = await vault.login('steady', { random: earliest });
      const lease = await client.database(DATABASE_MOUNT).credentials('fixed');
      const ending = await new Promise<LeaseEnding>((resolve) => lease.onEnding(resolve));
      assert.equal(ending, 'max-ttl');
      assert.ok(Date.now() < lease.expiresAtMs);
    });

    test('a lease that can grow is renewed', async () => {
      await vault.databaseRole('growing', 4, 600);
      await using client = await vault.login('steady', { random: earliest });
      const lease = await client.database(DATABASE_MOUNT).credentials('growing');
      const before = lease.expiresAtMs;
      await new Promise<void>((resolve) => {
        client.leases.onChange(({ type }) => {
          if (type === 'renewed') resolve();
        });
      });
      assert.ok(lease.expiresAtMs > before);
    });

    test('replacing the token re-leases what it owned and revokes it last', async () => {
      await using client = await vault.login('steady');
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
      assert.equal(await vault.hasRole(first), false);
      assert.ok(await vault.hasRole(credential.current().value.username));
      const body = { accessor };
      await assert.rejects(vault.root.request({ method: 'POST', path: 'auth/token/lookup-accessor', body }));
      assert.deepEqual(new Set(client.leases.list().map(({ tokenGeneration }) => tokenGeneration)), new Set([2]));
    });

    test('a token that dies takes its leases along and they are leased again', async () => {
      await using client = await vault.login('steady');
      const provider = databaseCredentials(client, 'steady', { mount: DATABASE_MOUNT });
      await using credential = await RotatingCredential.open({ provider, drainTimeoutMs: 200 });
      const rotated = new Promise<RotationOutcome>((resolve) => credential.onRotation(resolve));
      await vault.write('auth/token/revoke-accessor', { accessor: client.token.accessor });
      await client.kv(KV_MOUNT).list('app');
      assert.equal((await rotated).reason, 'lost');
      assert.ok(await vault.hasRole(credential.current().value.username));
    });

    test('a new version of a secret makes a new generation', async () => {
      await using client = await vault.login('steady');
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

    test('a certificate is issued for a SPIFFE ID', async () => {
      await using client = await vault.login('steady');
      const issued = await client.pki(PKI_MOUNT).issue(PKI_ROLE, {
        commonName: 'service.contract.test',
        uriSans: [SUBJECT],
        ttlSeconds: 300,
      });
      const certificate = new X509Certificate(issued.certificatePem);
      assert.equal(certificate.subjectAltName?.includes(`URI:${SUBJECT}`), true);
      const ca = new X509Certificate(await client.pki(PKI_MOUNT).ca());
      assert.ok(certificate.verify(ca.publicKey));
      assert.ok(certificate.checkPrivateKey(createPrivateKey(issued.privateKeyPem.reveal())));
    });

    test('health tells the state of the server and of the token', async () => {
      await using client = await vault.login('steady');
      const health = await client.health();
      assert.equal(health.state, 'healthy');
      assert.equal(health.server?.sealed, false);
      assert.equal(health.breaker, 'closed');
    });

    test('the administrative calls round-trip', async () => {
      const { sys } = vault.root;
      assert.match(await sys.policies.read('contract'), /contract-kv/);
      assert.ok((await sys.policies.list()).includes('contract'));
      assert.equal((await sys.mounts.list())[KV_MOUNT]?.type, 'kv');
      assert.equal((await sys.auth.list())['contract-jwt']?.type, 'jwt');
      const { leases } = sys;
      const lease = await vault.root.database(DATABASE_MOUNT).credentials('steady');
      const { ttlSeconds } = await leases.lookup(lease.leaseId);
      assert.ok(ttlSeconds > 590 && ttlSeconds <= 600);
      assert.equal((await leases.renew(lease.leaseId)).leaseSeconds, 600);
      await leases.revoke(lease.leaseId);
      await leases.revoke(lease.leaseId);
    });
  });
}

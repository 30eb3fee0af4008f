import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { kubernetesAuth, tokenAuth, VaultClient } from '../vault/index.ts';
import { rejectsWith, type TestRunner } from './vault-contract/topic.ts';

/** What the suite asks of a cluster, by the names of the API. */
export interface ClusterTarget {
  readonly address: string;
  readonly ca: string;
  readonly api: {
    createNamespace(name: string): Promise<void>;
    createServiceAccount(namespace: string, name: string): Promise<void>;
    create(collection: string, object: object): Promise<unknown>;
    delete(path: string): Promise<void>;
    requestToken(request: {
      readonly namespace: string;
      readonly serviceAccount: string;
      readonly audiences: readonly string[];
      readonly pod?: string;
    }): Promise<string>;
  };
}

/** A server to log in to. */
export interface LoginTarget {
  readonly address: string;
  readonly caPem: string;
  readonly rootToken: string;
  close(): Promise<void>;
}

const AUDIENCE = 'vault.neural-hive.local';
const API_SERVER = 'https://kubernetes.default.svc';
const ACCOUNT = 'worker-agents';
const REVIEWER = 'vault';

/** The API server remembers for ten seconds whom it has authenticated. */
const CACHE_LIMIT_MS = 60_000;
const POLL_MS = 500;

/** Makes the account by which the server asks the cluster; the right to ask is a binding of the cluster's own role. */
async function makeReviewer(
  { api }: ClusterTarget,
  namespace: string,
  options: { mayReview: boolean },
): Promise<string> {
  await api.createServiceAccount(namespace, REVIEWER);
  if (options.mayReview) {
    await api.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: `${namespace}-${REVIEWER}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', namespace, name: REVIEWER }],
    });
  }
  return api.requestToken({ namespace, serviceAccount: REVIEWER, audiences: [API_SERVER] });
}

/** One test's part of the cluster and a login mount that knows it. */
class LoginUnderTest {
  readonly namespace = `login-${randomBytes(4).toString('hex')}`;
  readonly #mount = this.namespace;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sa-'));
  readonly #target: LoginTarget;
  readonly cluster: ClusterTarget;

  private constructor(target: LoginTarget, cluster: ClusterTarget) {
    this.#target = target;
    this.cluster = cluster;
  }

  static async make(target: LoginTarget, cluster: ClusterTarget, mayReview = true): Promise<LoginUnderTest> {
    const login = new LoginUnderTest(target, cluster);
    const { namespace } = login;
    await cluster.api.createNamespace(namespace);
    await cluster.api.createServiceAccount(namespace, ACCOUNT);
    const reviewer = await makeReviewer(cluster, namespace, { mayReview });
    const { address, caPem: ca, rootToken } = target;
    const root = await VaultClient.open({ address, ca, auth: tokenAuth({ token: rootToken }) });
    const write = (path: string, body: Record<string, unknown>) =>
      root.request({ method: 'POST', path: `auth/${namespace}/${path}`, body, operation: 'test.write' });
    await root.sys.auth.enable(namespace, { type: 'kubernetes' });
    await write('config', {
      kubernetes_host: cluster.address,
      kubernetes_ca_cert: cluster.ca,
      token_reviewer_jwt: reviewer,
      disable_local_ca_jwt: true,
    });
    await write('role/worker', {
      bound_service_account_names: [ACCOUNT],
      bound_service_account_namespaces: [namespace],
      audience: AUDIENCE,
      token_ttl: 600,
    });
    await root.close();
    return login;
  }

  /** A token of the account, for Vault unless another audience is named. */
  token(options: { audience?: string; pod?: string; serviceAccount?: string } = {}): Promise<string> {
    const { audience = AUDIENCE, serviceAccount = ACCOUNT, ...rest } = options;
    const { namespace } = this;
    return this.cluster.api.requestToken({ namespace, serviceAccount, audiences: [audience], ...rest });
  }

  async open(token: string): Promise<VaultClient> {
    const tokenFile = join(this.#folder, 'token');
    writeFileSync(tokenFile, token);
    const auth = kubernetesAuth({ role: 'worker', mount: this.#mount, tokenFile });
    const { address, caPem: ca } = this.#target;
    return VaultClient.open({ address, ca, auth, openTimeoutMs: 0 });
  }

  async mayLogIn(token: string): Promise<void> {
    const client = await this.open(token);
    assert.equal(client.token.generation, 1);
    await client.close();
  }

  async mayNot(token: string): Promise<void> {
    await rejectsWith(this.open(token), 'permission-denied');
  }

  /** As `mayNot`, but the API server may still be answering from its cache. */
  async mayNoLonger(token: string): Promise<void> {
    const deadlineMs = performance.now() + CACHE_LIMIT_MS;
    while (performance.now() < deadlineMs) {
      const client = await this.open(token).catch((error: unknown) => error);
      if (!(client instanceof VaultClient)) return rejectsWith(Promise.reject(client), 'permission-denied');
      await client.close();
      await delay(POLL_MS);
    }
    assert.fail(`still logged in after ${CACHE_LIMIT_MS} ms`);
  }

  delete(kind: 'serviceaccounts' | 'pods', name: string): Promise<void> {
    return this.cluster.api.delete(`/api/v1/namespaces/${this.namespace}/${kind}/${name}`);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/**
 * The login `kubernetes` against a real API server: bound service account tokens, judged by its TokenReview. Runs on the
 * dev authority and on OpenBao alike.
 */
export function describeKubernetesLogin(
  open: () => Promise<LoginTarget>,
  cluster: () => ClusterTarget,
  runner: TestRunner,
): void {
  const { describe, test, beforeAll, afterAll } = runner;
  let target: LoginTarget;

  const rule = (name: string, body: (login: LoginUnderTest) => Promise<void>): void =>
    test(name, async () => {
      const login = await LoginUnderTest.make(target, cluster());
      try {
        await body(login);
      } finally {
        login.close();
      }
    });

  describe('the login of a service account', () => {
    beforeAll(async () => {
      target = await open();
    });
    afterAll(() => target?.close());

    rule('a bound token of the right audience logs in, and one of another audience does not', async (login) => {
      await login.mayLogIn(await login.token());
      await login.mayNot(await login.token({ audience: 'service-registry.neural-hive.local' }));
      await login.mayNot(await login.token({ audience: API_SERVER }));
    });

    rule('a service account that was deleted does not log in, though its token has not expired', async (login) => {
      const token = await login.token();
      await login.mayLogIn(token);
      await login.delete('serviceaccounts', ACCOUNT);
      await login.mayNoLonger(token);
      // One of the same name is another account.
      await login.cluster.api.createServiceAccount(login.namespace, ACCOUNT);
      await login.mayNot(token);
      await login.mayLogIn(await login.token());
    });

    rule('a token that is bound to a pod ends with the pod', async (login) => {
      const { namespace } = login;
      const container = { name: 'main', image: 'registry.test/worker' };
      await login.cluster.api.create(`/api/v1/namespaces/${namespace}/pods`, {
        metadata: { name: 'worker' },
        spec: { serviceAccountName: ACCOUNT, terminationGracePeriodSeconds: 0, containers: [container] },
      });
      const token = await login.token({ pod: 'worker' });
      await login.mayLogIn(token);
      await login.delete('pods', 'worker');
      await login.mayNoLonger(token);
      await login.mayLogIn(await login.token());
    });

    rule(
      'a service account that the role does not name does not log in, and neither does a forged token',
      async (login) => {
        await login.cluster.api.createServiceAccount(login.namespace, 'another');
        const token = await login.token();
        await login.mayLogIn(token);
        await login.mayNot(await login.token({ serviceAccount: 'another' }));
        const [header = '', claims = '', signature = ''] = token.split('.');
        const forged = Buffer.from(signature, 'base64url');
        forged.writeUInt8(forged.readUInt8(0) ^ 1, 0);
        await login.mayNot([header, claims, forged.toString('base64url')].join('.'));
      },
    );

    test('nobody logs in while the server may not ask the cluster to review tokens', async () => {
      const allowed = await LoginUnderTest.make(target, cluster());
      await allowed.mayLogIn(await allowed.token());
      allowed.close();
      const login = await LoginUnderTest.make(target, cluster(), false);
      await login.mayNot(await login.token());
      login.close();
    });
  });
}

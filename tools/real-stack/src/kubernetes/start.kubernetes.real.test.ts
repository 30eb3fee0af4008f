import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { askJson } from '../https-json.ts';
import { SERVICE_ACCOUNT_ISSUER } from './configuration.ts';
import { KUBERNETES_VERSION } from './install.ts';
import { type KubernetesCluster, startKubernetes } from './start.ts';

const run = promisify(execFile);
const LIMIT = { timeout: 120_000 };

let cluster: KubernetesCluster;

beforeAll(async () => {
  cluster = await startKubernetes();
}, 300_000);
afterAll(() => cluster?.stop());

function kubectl(...args: readonly string[]): Promise<{ stdout: string }> {
  return run(cluster.kubectl, ['--kubeconfig', cluster.kubeconfigFile, ...args]);
}

/** The phases of the pods with that label, and the nodes they are on. */
async function pods(app: string): Promise<{ phases: string[]; nodes: string[] }> {
  const { stdout } = await kubectl('get', 'pods', '-l', `app=${app}`, '-o', 'json');
  const { items } = JSON.parse(stdout) as { items: { spec: { nodeName?: string }; status: { phase: string } }[] };
  return { phases: items.map(({ status }) => status.phase), nodes: items.map(({ spec }) => spec.nodeName ?? '') };
}

const PODS = '/api/v1/namespaces/default/pods';
const container = { name: 'main', image: 'registry.test/app' };

test('a real API server of the pinned version answers, and its secrets are on no command line', LIMIT, async () => {
  expect(cluster.version).toBe(KUBERNETES_VERSION);
  expect((await kubectl('version', '-o', 'json')).stdout).toContain(`"gitVersion": "v${KUBERNETES_VERSION}"`);
  for (const pid of cluster.pids) {
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(cluster.adminToken.reveal());
  }
});

test('who brings no token, and who brings a wrong one, is nobody', LIMIT, async () => {
  expect((await cluster.api.call(PODS)).status).toBe(200);
  expect((await askJson(`${cluster.address}${PODS}`, { ca: cluster.ca })).status).toBe(403);
  expect((await cluster.api.call(PODS, { token: 'wrong' })).status).toBe(401);
});

test('replicas run, each in a zone of its own when they may not share one', LIMIT, async () => {
  const labels = { app: 'spread' };
  const term = { topologyKey: 'topology.kubernetes.io/zone', labelSelector: { matchLabels: labels } };
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  await cluster.api.create('/apis/apps/v1/namespaces/default/deployments', {
    metadata: { name: 'spread' },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { affinity, containers: [container] } },
    },
  });
  await vi.waitFor(async () => expect((await pods('spread')).phases).toEqual(['Running', 'Running', 'Running']), LIMIT);
  expect((await pods('spread')).nodes.sort()).toEqual(['node-1', 'node-2', 'node-3']);
});

test('a job completes, and so does a pod that is not to be restarted', LIMIT, async () => {
  const template = { metadata: { labels: { app: 'once' } }, spec: { restartPolicy: 'Never', containers: [container] } };
  await cluster.api.create('/apis/batch/v1/namespaces/default/jobs', {
    metadata: { name: 'once' },
    spec: { template },
  });
  await cluster.api.create(PODS, { metadata: { name: 'single', labels: { app: 'once' } }, spec: template.spec });
  await vi.waitFor(async () => expect((await pods('once')).phases).toEqual(['Succeeded', 'Succeeded']), LIMIT);
  await kubectl('wait', '--for=condition=complete', 'job/once', '--timeout=60s');
});

test('a disruption budget is kept by evictions', LIMIT, async () => {
  const labels = { app: 'kept' };
  for (const name of ['kept-1', 'kept-2']) {
    await cluster.api.create(PODS, { metadata: { name, labels }, spec: { containers: [container] } });
  }
  await cluster.api.create('/apis/policy/v1/namespaces/default/poddisruptionbudgets', {
    metadata: { name: 'kept' },
    spec: { minAvailable: 1, selector: { matchLabels: labels } },
  });
  await vi.waitFor(async () => expect((await pods('kept')).phases).toEqual(['Running', 'Running']), LIMIT);
  const budget = '/apis/policy/v1/namespaces/default/poddisruptionbudgets/kept';
  const allowed = async (): Promise<unknown> => {
    const { status } = (await cluster.api.call(budget)).json as { status?: { disruptionsAllowed?: number } };
    return status?.disruptionsAllowed;
  };
  await vi.waitFor(async () => expect(await allowed()).toBe(1), LIMIT);
  const evict = async (name: string): Promise<number> => {
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' } };
    return (await cluster.api.call(`${PODS}/${name}/eviction`, { body })).status;
  };
  expect(await evict('kept-1')).toBe(201);
  expect(await evict('kept-2')).toBe(429);
});

test('a field that does not exist and a pod that is not restricted enough are refused', LIMIT, async () => {
  const dry = (namespace: string, spec: object): Promise<{ status: number; text: string }> =>
    cluster.api.call(`/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`, {
      body: { metadata: { name: 'dry' }, spec },
    });
  const good = { containers: [container] };
  expect((await dry('default', good)).status).toBe(201);
  expect(await dry('default', { ...good, speck: 1 })).toMatchObject({
    status: 400,
    text: expect.stringContaining('speck'),
  });
  await cluster.api.createNamespace('strict', { 'pod-security.kubernetes.io/enforce': 'restricted' });
  await vi.waitFor(async () => {
    // The controller makes the account that pods have when they name none.
    const account = await cluster.api.call('/api/v1/namespaces/strict/serviceaccounts/default');
    expect(account.status).toBe(200);
  }, LIMIT);
  expect(await dry('strict', good)).toMatchObject({ status: 403, text: expect.stringContaining('restricted') });
  const securityContext = {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  expect((await dry('strict', { containers: [{ ...container, securityContext }] })).status).toBe(201);
});

test('a token of a service account is for its audience: one for Vault is none for the API server', LIMIT, async () => {
  await cluster.api.createServiceAccount('default', 'app');
  const ask = (audience: string): Promise<string> =>
    cluster.api.requestToken({ namespace: 'default', serviceAccount: 'app', audiences: [audience] });
  const token = await ask('vault.neural-hive.local');
  const who = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const itself = await cluster.api.call(who, { token: await ask(SERVICE_ACCOUNT_ISSUER), body: {} });
  expect(itself.json).toMatchObject({ status: { userInfo: { username: 'system:serviceaccount:default:app' } } });
  expect((await cluster.api.call(who, { token, body: {} })).status).toBe(401);
  const review = async (audiences: readonly string[]): Promise<unknown> =>
    (await cluster.api.create('/apis/authentication.k8s.io/v1/tokenreviews', {
      spec: { token, audiences },
    })) as unknown;
  expect(await review(['vault.neural-hive.local'])).toMatchObject({ status: { authenticated: true } });
  expect(await review(['another'])).not.toMatchObject({ status: { authenticated: true } });
});

test('a cluster that is stopped leaves nothing', LIMIT, async () => {
  const second = await startKubernetes({ nodes: 1 });
  const folder = dirname(second.kubeconfigFile);
  expect(existsSync(folder)).toBe(true);
  await second.stop();
  await second.stop();
  expect(existsSync(folder)).toBe(false);
});

test('a program that is not Kubernetes is told in one line', LIMIT, async () => {
  await expect(startKubernetes({ binaries: '/nonexistent' })).rejects.toMatchObject({ code: 'start_failed' });
});

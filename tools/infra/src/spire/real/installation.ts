import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { eventually } from '../../eventually.ts';
import { at } from '../../manifests.ts';
import { point } from '../../point.ts';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';
import { described, mayIt, RIGHTS } from './rights.ts';
import { agentPod, bundleOf, listOf, nameOf, type Stage } from './stage.ts';

/** What the API server makes of the chart. */
export async function judgeInstallation(stage: Stage): Promise<void> {
  const { cluster, release, report } = stage;
  await point(report, 'the agents’ namespace is made privileged, and an agent runs on every node', async () => {
    const { json } = await cluster.api.call(`/api/v1/namespaces/${AGENT_NAMESPACE}`);
    equal(at(json, ['metadata', 'labels', 'pod-security.kubernetes.io/enforce']), 'privileged');
    for (const node of ['node-1', 'node-2', 'node-3'])
      await eventually(`an agent on ${node}`, async () => (await agentPod(stage, node)) !== undefined);
  });
  await point(report, 'a namespace where Pod Security is restricted admits every other pod', async () => {
    await eventually('three servers, two providers and the Job', async () => {
      const pods = await listOf(stage, `/api/v1/namespaces/${NAMESPACE}/pods`);
      const count = (prefix: string): number => pods.filter((pod) => nameOf(pod).startsWith(prefix)).length;
      return count('spire-server-') === 3 && count('spire-oidc-') === 2 && count('spire-entries-') === 1;
    });
  });
  await point(report, 'and would not admit an agent', () => {
    const template = at(stage.manifests.get('DaemonSet', 'spire-agent'), 'spec.template') as {
      metadata: object;
      spec: object;
    };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name: 'agent', namespace: NAMESPACE },
      spec: { ...template.spec, serviceAccountName: 'default' },
    };
    const { code, output } = release.kubectl(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(pod) });
    ok(code !== 0, output);
    match(output, /violates PodSecurity "restricted:latest".*volume type "hostPath"/s);
  });
  for (const right of RIGHTS) {
    await point(report, described(right), async () => equal(await mayIt(cluster.api, right), right.allowed));
  }
}

/** Other values, and the end. */
export async function judgeUpgrade(stage: Stage, upgrade: () => Promise<void>): Promise<void> {
  const { cluster, report } = stage;
  await point(report, 'an upgrade leaves the trust bundle where it is and rolls the servers', async () => {
    const before = await bundleOf(stage);
    ok(before?.includes('BEGIN CERTIFICATE'));
    const revision = async (): Promise<unknown> => {
      const { json } = await cluster.api.call(`/apis/apps/v1/namespaces/${NAMESPACE}/statefulsets/spire-server`);
      return at(json, 'status.updateRevision');
    };
    const old = await revision();
    await upgrade();
    equal(await bundleOf(stage), before);
    await eventually('another revision', async () => (await revision()) !== old);
  });
  await point(report, 'uninstalling leaves nothing in the cluster but the namespace it was given', async () => {
    await stage.release.uninstall('spire', NAMESPACE);
    for (const path of [
      '/apis/rbac.authorization.k8s.io/v1/clusterroles',
      '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
      '/apis/storage.k8s.io/v1/csidrivers',
    ]) {
      deepEqual(
        (await listOf(stage, path)).map(nameOf).filter((name) => name.includes('spi')),
        [],
      );
    }
    await eventually(
      'no namespace of agents',
      async () => (await cluster.api.call(`/api/v1/namespaces/${AGENT_NAMESPACE}`)).status === 404,
    );
  });
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KubernetesCluster, startKubernetes } from '@neural-hive/real-stack';
import { type KubernetesAllowList, kubernetesAllowList } from '../adapters/kubernetes/allow-list.ts';
import { KubernetesClient } from '../adapters/kubernetes/kubernetes-client.ts';
import { KubernetesDeployments } from '../adapters/kubernetes/kubernetes-deployments.ts';
import { KubernetesJobs } from '../adapters/kubernetes/kubernetes-jobs.ts';
import { openFolder } from './guards.ts';

/** Who the worker is for the API server, and where it may do something. */
export const NAMESPACE = 'apps';
const ACCOUNT = 'worker-agents';

/** What a worker needs in a namespace, and nothing else. */
const RULES = [
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'create', 'patch'] },
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get', 'create', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
  { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
];

/** A real control plane with a service account that may do what a worker has to, in one namespace. */
export class KubernetesStage {
  readonly cluster: KubernetesCluster;
  readonly client: KubernetesClient;
  readonly tokenFile: string;

  private constructor(cluster: KubernetesCluster, tokenFile: string) {
    this.cluster = cluster;
    this.tokenFile = tokenFile;
    this.client = new KubernetesClient({ url: cluster.address, caFile: cluster.caFile, tokenFile, retryMs: 5_000 });
  }

  static async open(): Promise<KubernetesStage> {
    const cluster = await startKubernetes({ nodes: 1 });
    const { api } = cluster;
    // As production has it: what is not restricted enough is refused.
    await api.createNamespace(NAMESPACE, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await api.createServiceAccount(NAMESPACE, ACCOUNT);
    await api.createServiceAccount(NAMESPACE, 'app');
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}`;
    await api.create(`${rbac}/roles`, { metadata: { name: ACCOUNT }, rules: RULES });
    await api.create(`${rbac}/rolebindings`, {
      metadata: { name: ACCOUNT },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: ACCOUNT },
      subjects: [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: NAMESPACE }],
    });
    const stage = new KubernetesStage(cluster, join(openFolder('kubernetes'), 'token'));
    await stage.renewToken();
    return stage;
  }

  /** What the kubelet does: another token in the same file. */
  async renewToken(): Promise<void> {
    const token = await this.cluster.api.requestToken({ namespace: NAMESPACE, serviceAccount: ACCOUNT, audiences: [] });
    writeFileSync(this.tokenFile, token, { mode: 0o600 });
  }

  allowed(list: unknown): KubernetesAllowList {
    return kubernetesAllowList.parse(list);
  }

  deployments(deployments: unknown): KubernetesDeployments {
    return new KubernetesDeployments(this.client, this.allowed({ deployments }).deployments);
  }

  jobs(jobs: unknown): KubernetesJobs {
    return new KubernetesJobs(this.client, this.allowed({ jobs }).jobs);
  }

  /** An object as the administrator sees it; undefined when there is none. */
  async object<Shape>(path: string): Promise<Shape | undefined> {
    const { status, json } = await this.cluster.api.call(path);
    return status === 404 ? undefined : (json as Shape);
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.cluster.stop();
  }
}

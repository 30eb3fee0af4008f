import { KubernetesCluster } from '@neural-hive/real-stack';
import type { Manifest, Manifests } from '../../manifests.ts';

const COLLECTIONS: Readonly<Record<string, string>> = {
  ServiceAccount: '/api/v1/namespaces/vault/serviceaccounts',
  Role: '/apis/rbac.authorization.k8s.io/v1/namespaces/vault/roles',
  RoleBinding: '/apis/rbac.authorization.k8s.io/v1/namespaces/vault/rolebindings',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
};

/** A real API server with the accounts and the rights that the chart rendered: it says whose a token is. */
export class Identities implements AsyncDisposable {
  readonly #cluster: KubernetesCluster;

  private constructor(cluster: KubernetesCluster) {
    this.#cluster = cluster;
  }

  /** `services`: whose service accounts there are, too, in namespaces of their own. */
  static async start(manifests: Manifests, services: readonly Manifests[] = []): Promise<Identities> {
    const cluster = await KubernetesCluster.start({ nodes: 0 });
    const identities = new Identities(cluster);
    try {
      const namespaces = new Set(['vault']);
      await cluster.api.createNamespace('vault');
      for (const manifest of manifests.all) await identities.#create(manifest);
      for (const { metadata } of services.flatMap((service) => service.of('ServiceAccount'))) {
        const { namespace = 'default', name } = metadata;
        if (!namespaces.has(namespace)) await cluster.api.createNamespace(namespace);
        namespaces.add(namespace);
        await cluster.api.createServiceAccount(namespace, name);
      }
      return identities;
    } catch (error) {
      await identities.stop();
      throw error;
    }
  }

  /** For the setup's parameters. The servers of the chart review with the token of their own account. */
  async reviewer(): Promise<{ host: string; ca: string; reviewerToken: string }> {
    const { address: host, ca } = this.#cluster;
    return { host, ca, reviewerToken: await this.token('vault-server', []) };
  }

  /** Default namespace `vault`. No audience means the API server's own. */
  token(serviceAccount: string, audiences: readonly string[], namespace = 'vault'): Promise<string> {
    return this.#cluster.api.requestToken({ namespace, serviceAccount, audiences });
  }

  stop(): Promise<void> {
    return this.#cluster.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #create(manifest: Manifest): Promise<void> {
    const collection = COLLECTIONS[manifest.kind];
    if (collection !== undefined) await this.#cluster.api.create(collection, manifest);
  }
}

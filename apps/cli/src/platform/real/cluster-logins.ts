import { chownSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIENCES, WORKLOAD_NAMES, WORKLOADS, type WorkloadName } from '@neural-hive/contracts';
import { type KubernetesCluster, startKubernetes } from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import { type Home, makeFolder } from '../home.ts';
import type { ServiceUsers } from '../users.ts';

/** The account by which OpenBao asks the API server about a token. */
const REVIEWER = { namespace: 'vault', name: 'vault' } as const;
const API_SERVER = 'https://kubernetes.default.svc';
/** As long as the certificates of the run. */
const REVIEWER_SECONDS = 86_400;
/** The shortest that the API server gives. A refresh that fails has another before the token ends. */
const TOKEN_SECONDS = 600;
const REFRESH_MS = 240_000;

export interface ClusterLogins {
  readonly version: string;
  /** What OpenBao needs to ask the cluster. */
  readonly setup: { readonly host: string; readonly ca: string; readonly reviewerToken: string };
  /** The file that a service finds its token in, as a kubelet would project it. */
  tokenFile(service: WorkloadName): string;
  /** Asks for a new token for every service, and replaces the files. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface StartClusterOptions {
  readonly home: Home;
  readonly users: ServiceUsers;
  /** The folder with the programs of Kubernetes. */
  readonly kubernetes: string;
  readonly etcd: string;
  readonly log: (line: string) => void;
}

/** Starts an API server that knows the services' accounts, and keeps a token of each, bound to a pod of it, in a file. */
export async function startClusterLogins(options: StartClusterOptions): Promise<ClusterLogins> {
  const { home, users, kubernetes: binaries, etcd, log } = options;
  const cluster = await startKubernetes({ parts: 'api-server', binaries, etcd, log });
  let timer: NodeJS.Timeout | undefined;
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await cluster.stop();
  };
  try {
    const reviewerToken = await makeReviewer(cluster);
    for (const service of WORKLOAD_NAMES) await makePod(cluster, service);
    const folder = join(home.run, 'tokens');
    makeFolder(folder, { mode: 0o711 });
    const owners: Readonly<Record<WorkloadName, number>> = {
      'orchestrator-dynamic': users.orchestrator,
      'worker-agents': users.worker,
      'service-registry': users.registry,
    };
    const tokenFile = (service: WorkloadName): string => join(folder, service);
    const refresh = async (): Promise<void> => {
      for (const service of WORKLOAD_NAMES) {
        const { namespace, serviceAccount } = WORKLOADS[service];
        const request = { namespace, serviceAccount, pod: serviceAccount, audiences: [AUDIENCES.vault] };
        const token = await cluster.api.requestToken({ ...request, expirationSeconds: TOKEN_SECONDS });
        replaceFile(tokenFile(service), token, owners[service]);
      }
    };
    await refresh();
    timer = setInterval(
      () => void refresh().catch((error: unknown) => log(`tokens were not replaced: ${messageOf(error)}`)),
      REFRESH_MS,
    );
    const { address: host, ca, version } = cluster;
    return { version, setup: { host, ca, reviewerToken }, tokenFile, refresh, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whoever reads meanwhile gets the old content or the new one. */
function replaceFile(path: string, content: string, owner: number): void {
  const partial = `${path}.new`;
  writeFileSync(partial, content, { mode: 0o400 });
  chownSync(partial, owner, owner);
  renameSync(partial, path);
}

/** The right to ask is a binding of the cluster's own role. */
async function makeReviewer({ api }: KubernetesCluster): Promise<string> {
  const { namespace, name } = REVIEWER;
  await api.createNamespace(namespace);
  await api.createServiceAccount(namespace, name);
  await api.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'vault-token-reviewer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
    subjects: [{ kind: 'ServiceAccount', namespace, name }],
  });
  const request = { namespace, serviceAccount: name, audiences: [API_SERVER] };
  return api.requestToken({ ...request, expirationSeconds: REVIEWER_SECONDS });
}

/** A pod that nothing runs: its service is a process of this machine. Its token is good as long as it exists. */
async function makePod({ api }: KubernetesCluster, service: WorkloadName): Promise<void> {
  const { namespace, serviceAccount } = WORKLOADS[service];
  await api.createNamespace(namespace);
  await api.createServiceAccount(namespace, serviceAccount);
  await api.create(`/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name: serviceAccount },
    spec: {
      serviceAccountName: serviceAccount,
      automountServiceAccountToken: false,
      containers: [{ name: service, image: `neural-hive/${service}` }],
    },
  });
}

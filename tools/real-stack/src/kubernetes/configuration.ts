import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';

/** The issuer of service account tokens, and the audience of those that are for the API server itself. */
export const SERVICE_ACCOUNT_ISSUER = 'https://kubernetes.default.svc';

/** Who speaks to the API server from the start, and in which group. */
export const CLUSTER_USERS = {
  admin: { name: 'admin', group: 'system:masters' },
  controllerManager: { name: 'system:kube-controller-manager', group: 'system:authenticated' },
  scheduler: { name: 'system:kube-scheduler', group: 'system:authenticated' },
  // It writes the status of nodes and pods of every namespace, as all kubelets together.
  kwok: { name: 'kwok', group: 'system:masters' },
} as const;

export type ClusterUser = keyof typeof CLUSTER_USERS;

export type ClusterTokens = Readonly<Record<ClusterUser, Secret<string>>>;

/** A token of this run for each. */
export function makeTokens(): ClusterTokens {
  const token = (): Secret<string> => new Secret(randomBytes(24).toString('base64url'));
  return { admin: token(), controllerManager: token(), scheduler: token(), kwok: token() };
}

/** The API server's file of tokens, as CSV. */
export function tokenFile(tokens: ClusterTokens): string {
  const users = Object.keys(CLUSTER_USERS) as ClusterUser[];
  const line = (user: ClusterUser): string => {
    const { name, group } = CLUSTER_USERS[user];
    return `${tokens[user].reveal()},${name},${name},"${group}"\n`;
  };
  return users.map(line).join('');
}

/** JSON is YAML. */
export function kubeconfig(options: { readonly address: string; readonly ca: string; readonly token: Secret<string> }) {
  const { address, ca, token } = options;
  const cluster = { server: address, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'real',
    clusters: [{ name: 'real', cluster }],
    users: [{ name: 'real', user: { token: token.reveal() } }],
    contexts: [{ name: 'real', context: { cluster: 'real', user: 'real' } }],
  });
}

export interface ServerFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface ApiServerSettings extends ServerFiles {
  readonly folder: string;
  readonly port: number;
  readonly etcd: { readonly endpoint: string; readonly caFile: string } & ServerFiles;
  readonly tokensFile: string;
  readonly serviceAccountKeyFile: string;
}

const LOOPBACK = '127.0.0.1';

export function apiServerArguments(settings: ApiServerSettings): string[] {
  const { folder, port, etcd, tokensFile, serviceAccountKeyFile, certificateFile, keyFile } = settings;
  return [
    'kube-apiserver',
    `--etcd-servers=${etcd.endpoint}`,
    `--etcd-cafile=${etcd.caFile}`,
    `--etcd-certfile=${etcd.certificateFile}`,
    `--etcd-keyfile=${etcd.keyFile}`,
    `--bind-address=${LOOPBACK}`,
    `--advertise-address=${LOOPBACK}`,
    // An endpoint may not be a loopback address: the Service `kubernetes` has none.
    '--endpoint-reconciler-type=none',
    `--secure-port=${port}`,
    `--cert-dir=${join(folder, 'certificates')}`,
    `--tls-cert-file=${certificateFile}`,
    `--tls-private-key-file=${keyFile}`,
    `--token-auth-file=${tokensFile}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    '--service-cluster-ip-range=10.96.0.0/16',
    `--service-account-issuer=${SERVICE_ACCOUNT_ISSUER}`,
    `--service-account-key-file=${serviceAccountKeyFile}`,
    `--service-account-signing-key-file=${serviceAccountKeyFile}`,
    // A token for anybody else, Vault say, is none for the API server.
    `--api-audiences=${SERVICE_ACCOUNT_ISSUER}`,
    '--profiling=false',
  ];
}

export interface ClientSettings extends ServerFiles {
  readonly port: number;
  readonly kubeconfigFile: string;
}

/** The controller manager and the scheduler serve health and metrics, and lead without an election. */
function clientArguments({ port, kubeconfigFile, certificateFile, keyFile }: ClientSettings): string[] {
  return [
    `--kubeconfig=${kubeconfigFile}`,
    `--authentication-kubeconfig=${kubeconfigFile}`,
    `--authorization-kubeconfig=${kubeconfigFile}`,
    '--authentication-skip-lookup',
    `--bind-address=${LOOPBACK}`,
    `--secure-port=${port}`,
    `--tls-cert-file=${certificateFile}`,
    `--tls-private-key-file=${keyFile}`,
    '--leader-elect=false',
    '--profiling=false',
  ];
}

export function controllerManagerArguments(
  settings: ClientSettings & { readonly serviceAccountKeyFile: string; readonly caFile: string },
): string[] {
  return [
    'kube-controller-manager',
    ...clientArguments(settings),
    `--service-account-private-key-file=${settings.serviceAccountKeyFile}`,
    `--root-ca-file=${settings.caFile}`,
    '--use-service-account-credentials',
    // kwok’s nodes come late with their heartbeats on a busy machine, and pods of a node once lost are not ready again.
    '--node-monitor-grace-period=24h',
  ];
}

export function schedulerArguments(settings: ClientSettings): string[] {
  return ['kube-scheduler', ...clientArguments(settings)];
}

import { join } from 'node:path';
import { at, listAt, type Manifests } from '../../manifests.ts';
import type { Configuration } from '../configuration.ts';
import { POD } from '../rules/pods.ts';

/** Where a rendered configuration finds on this machine what its pod would have. */
export interface ServerPlace {
  /** Short, private: the socket is in it, and the data. */
  readonly folder: string;
  readonly ports: { readonly grpc: number; readonly health: number; readonly metrics: number };
  /** The folder with `ca.crt` of the database. */
  readonly databaseCaFolder?: string;
  /** The folder with `ca.crt` of Vault, and `token`, which is for it. */
  readonly vaultFolder?: string;
  /** Leads to a Kubernetes API server as the server's service account. Without one nothing is told to Kubernetes. */
  readonly kubeconfigFile?: string;
}

type Fields = Record<string, unknown>;

export const serverSocket = ({ folder }: ServerPlace): string => join(folder, 'api.sock');
export const serverLog = ({ folder }: ServerPlace): string => join(folder, 'server.log');

/** The server's configuration with other paths, ports and way to Kubernetes, and nothing else changed. */
export function relocatedServer(text: string, place: ServerPlace): Configuration {
  const { folder, ports, databaseCaFolder = '/nowhere', vaultFolder = '/nowhere', kubeconfigFile } = place;
  const moved = text
    .replaceAll('/run/spire/database-ca', databaseCaFolder)
    .replaceAll('/run/spire/vault-ca', vaultFolder)
    .replaceAll('/run/spire/vault-token', vaultFolder)
    .replaceAll('/run/spire/data', join(folder, 'data'))
    .replaceAll('/tmp/spire-server/private', folder);
  const parsed = JSON.parse(moved) as { server: Fields; plugins: Fields; health_checks: Fields; telemetry: Fields };
  const plugins = { ...parsed.plugins };
  if (kubeconfigFile === undefined) delete plugins.Notifier;
  else {
    const clusters = at(plugins, 'NodeAttestor.k8s_psat.plugin_data.clusters') as Record<string, Fields>;
    const reached = Object.entries(clusters).map(([name, cluster]) => [
      name,
      { ...cluster, kube_config_file: kubeconfigFile },
    ]);
    plugins.NodeAttestor = { k8s_psat: { plugin_data: { clusters: Object.fromEntries(reached) } } };
    const bundle = at(plugins, 'Notifier.k8sbundle.plugin_data') as Fields;
    plugins.Notifier = { k8sbundle: { plugin_data: { ...bundle, kube_config_file_path: kubeconfigFile } } };
  }
  return {
    ...parsed,
    server: { ...parsed.server, bind_address: '127.0.0.1', bind_port: ports.grpc, log_file: serverLog(place) },
    health_checks: { ...parsed.health_checks, bind_address: '127.0.0.1', bind_port: String(ports.health) },
    telemetry: { Prometheus: { host: '127.0.0.1', port: ports.metrics } },
    plugins,
  };
}

/** How a container is started: its arguments with the configuration elsewhere, and its environment. */
export interface Start {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What the pod template says, with the Secrets and the pod's fields given. @throws RangeError for one that is not given */
export function startOf(
  manifests: Manifests,
  workload: readonly [kind: string, name: string],
  given: {
    readonly configurationFile: string;
    readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly fields: Readonly<Record<string, string>>;
  },
): Start {
  const container = at(manifests.get(...workload), `${POD}.containers.0`);
  const args = listAt(container, 'args').map(String);
  const env = listAt(container, 'env').map((variable) => {
    const secret = at(variable, 'valueFrom.secretKeyRef') as { name: string; key: string } | undefined;
    const field = at(variable, 'valueFrom.fieldRef.fieldPath');
    const value = secret === undefined ? given.fields[String(field)] : given.secrets?.[secret.name]?.[secret.key];
    if (value === undefined) throw new RangeError(`nothing is given for the variable ${String(at(variable, 'name'))}`);
    return [String(at(variable, 'name')), value];
  });
  return {
    args: args.map((arg) => (arg.endsWith('.conf') ? given.configurationFile : arg)),
    env: Object.fromEntries(env),
  };
}

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type KubernetesCluster, type TlsPostgres } from '@neural-hive/real-stack';
import type { Report } from '../../check.ts';
import { at, listAt, type Manifests } from '../../manifests.ts';
import type { Release } from '../../release.ts';
import { configurationText } from '../configuration.ts';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';
import { relocatedServer, type ServerPlace, startOf } from './relocation.ts';
import { RealServer } from './server.ts';

/** Of tokens for the API server itself. */
export const API_AUDIENCE = 'https://kubernetes.default.svc';

/** What the points are tried on. */
export interface Stage {
  readonly cluster: KubernetesCluster;
  readonly release: Release;
  readonly manifests: Manifests;
  readonly binaries: string;
  readonly folder: string;
  readonly report: Report;
}

/** The objects at the path of a collection. */
export const listOf = async ({ cluster }: Stage, path: string): Promise<readonly unknown[]> =>
  listAt((await cluster.api.call(path)).json, 'items');

export const nameOf = (object: unknown): string => String(at(object, 'metadata.name'));

/** The agent's pod that the DaemonSet made for a node. */
export async function agentPod(stage: Stage, node: string): Promise<unknown> {
  const pods = await listOf(stage, `/api/v1/namespaces/${AGENT_NAMESPACE}/pods`);
  return pods.find(
    (pod) =>
      nameOf(pod).startsWith('spire-agent-') &&
      at(pod, 'spec.nodeName') === node &&
      at(pod, 'status.phase') === 'Running',
  );
}

/** What the servers wrote for the agents. */
export async function bundleOf({ cluster }: Stage): Promise<string | undefined> {
  const { json } = await cluster.api.call(`/api/v1/namespaces/${AGENT_NAMESPACE}/configmaps/spire-bundle`);
  const text = at(json, ['data', 'bundle.crt']);
  return typeof text === 'string' ? text : undefined;
}

/** A server in the place of `spire-server-0`, which speaks to the API server as its service account. */
export async function makeServer(
  stage: Stage,
  database: TlsPostgres,
): Promise<{ server: RealServer; place: ServerPlace }> {
  const { cluster, manifests, binaries, folder } = stage;
  const token = await cluster.api.requestToken({
    namespace: NAMESPACE,
    serviceAccount: 'spire-server',
    audiences: [API_AUDIENCE],
  });
  const kubeconfigFile = join(folder, 'server.kubeconfig');
  writeFileSync(kubeconfigFile, kubeconfig(cluster, token), { mode: 0o600 });
  const databaseCaFolder = join(folder, 'ca');
  mkdirSync(databaseCaFolder);
  copyFileSync(database.caFile, join(databaseCaFolder, 'ca.crt'));
  const ports = { grpc: await freePort(), health: await freePort(), metrics: await freePort() };
  const place: ServerPlace = { folder: join(folder, '0'), ports, databaseCaFolder, kubeconfigFile };
  mkdirSync(place.folder);
  const start = startOf(manifests, ['StatefulSet', 'spire-server'], {
    configurationFile: RealServer.configurationFile(place),
    secrets: { 'spire-database': { username: database.user, password: database.password.reveal() } },
    fields: { 'metadata.name': 'spire-server-0' },
  });
  const configuration = relocatedServer(configurationText(manifests, 'spire-server'), place);
  return { place, server: new RealServer({ name: 'spire-server-0', binaries, place, configuration, start }) };
}

function kubeconfig({ address, ca }: KubernetesCluster, token: string): string {
  const cluster = { server: address, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'spire',
    clusters: [{ name: 'spire', cluster }],
    users: [{ name: 'spire', user: { token } }],
    contexts: [{ name: 'spire', context: { cluster: 'spire', user: 'spire' } }],
  });
}

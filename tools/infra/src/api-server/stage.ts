import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type KubernetesCluster, startKubernetes } from '@neural-hive/real-stack';
import type { Report } from '../check.ts';
import { eventually } from '../eventually.ts';
import { Helm } from '../helm.ts';
import { listAt } from '../manifests.ts';
import { Release } from '../release.ts';
import { installCustomResources } from '../schemas/custom-resources.ts';
import { Objects } from './objects.ts';
import { RESTRICTED } from './subjects.ts';

/** Two nodes in each of three zones: what keeps pods on different nodes alone does not spread them over the zones. */
export const NODES = 6;
const ZONES = 3;

/** Of the volumes that a chart may claim; there is no driver here that would make them. */
const CLASSES = [
  { name: 'gp3', isDefault: true, count: 30, mode: 'ReadWriteOnce' },
  { name: 'efs', isDefault: false, count: 12, mode: 'ReadWriteMany' },
] as const;

/** What the points are tried on. */
export interface Stage {
  readonly cluster: KubernetesCluster;
  readonly helm: Helm;
  readonly release: Release;
  readonly objects: Objects;
  readonly report: Report;
  readonly progress: (line: string) => void;
}

/** A control plane with nodes in three zones, the custom resources, volumes, and namespaces that enforce `restricted`. */
export async function openStage(report: Report, progress: (line: string) => void): Promise<Stage> {
  const helm = await Helm.open();
  const cluster = await startKubernetes({ nodes: NODES, zones: ZONES });
  try {
    const { definitions } = await installCustomResources({ log: progress });
    const release = new Release(helm, cluster);
    // As the API server asks of large ones: what is applied is not kept in an annotation.
    const files = readdirSync(definitions).map((name) => join(definitions, name));
    run(release, ['apply', '--server-side', ...files.flatMap((file) => ['--filename', file])]);
    run(release, ['wait', '--for=condition=Established', 'customresourcedefinitions', '--all', '--timeout=60s']);
    run(release, ['create', '--filename', '-'], volumes());
    for (const name of RESTRICTED) {
      await cluster.api.createNamespace(name, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    }
    const objects = await Objects.discover(cluster.api);
    return { cluster, helm, release, objects, report, progress };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** @throws RangeError with what kubectl says when it fails */
export function run(release: Release, args: readonly string[], input?: unknown): string {
  const { code, output } = release.kubectl(args, input === undefined ? {} : { input: JSON.stringify(input) });
  if (code !== 0) throw new RangeError(`kubectl ${args.slice(0, 2).join(' ')}: ${output}`);
  return output;
}

/** The objects at the path of a collection. */
export async function listOf({ cluster }: Pick<Stage, 'cluster'>, path: string): Promise<readonly unknown[]> {
  return listAt((await cluster.api.call(path)).json, 'items');
}

/** Takes nodes out of scheduling, those of a zone or all of them, while the work is done. */
export async function cordoned(stage: Stage, zone: string | undefined, work: () => Promise<void>): Promise<void> {
  const selector = zone === undefined ? ['--all'] : ['--selector', `topology.kubernetes.io/zone=${zone}`];
  const count = zone === undefined ? NODES : NODES / ZONES;
  // A controller sees the change and taints the nodes; then the scheduler has seen it too.
  const areTainted = (wanted: number) => async (): Promise<boolean> => {
    const nodes = await listOf(stage, '/api/v1/nodes');
    return nodes.filter((node) => listAt(node, 'spec.taints').length > 0).length === wanted;
  };
  const names = run(stage.release, ['get', 'nodes', ...selector.filter((one) => one !== '--all'), '--output', 'name']);
  run(stage.release, ['cordon', ...names.split('\n').map((name) => name.replace('node/', ''))]);
  try {
    await eventually('nodes out of scheduling', areTainted(count));
    await work();
  } finally {
    run(stage.release, ['uncordon', ...names.split('\n').map((name) => name.replace('node/', ''))]);
    await eventually('all nodes in scheduling', areTainted(0));
  }
}

function volumes(): object {
  const items = CLASSES.flatMap(({ name, isDefault, count, mode }) => [
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': String(isDefault) } },
      provisioner: 'kubernetes.io/no-provisioner',
    },
    ...Array.from({ length: count }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `${name}-${index + 1}` },
      spec: {
        storageClassName: name,
        capacity: { storage: '200Gi' },
        accessModes: [mode],
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: `/volumes/${name}-${index + 1}` },
      },
    })),
  ]);
  return { apiVersion: 'v1', kind: 'List', items };
}

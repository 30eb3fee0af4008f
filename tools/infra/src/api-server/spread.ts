import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { eventually } from '../eventually.ts';
import { at, listAt, type Manifest, type Manifests } from '../manifests.ts';
import { point } from '../point.ts';
import { wantedReplicas } from './readiness.ts';
import { cordoned, listOf, type Stage } from './stage.ts';
import type { Subject } from './subjects.ts';

const ZONE = 'topology.kubernetes.io/zone';
const ZONES = ['zone-1', 'zone-2', 'zone-3'];

interface Workload {
  readonly stage: Stage;
  readonly manifest: Manifest;
  readonly namespace: string;
}

function isStrict(manifest: Manifest): boolean {
  return listAt(manifest, 'spec.template.spec.topologySpreadConstraints').some(
    (one) => at(one, 'topologyKey') === ZONE && at(one, 'whenUnsatisfiable') === 'DoNotSchedule',
  );
}

/** Where the scheduler puts the pods of everything that must be in every zone. */
export async function judgeSpread(stage: Stage, subject: Subject, manifests: Manifests): Promise<void> {
  const sets = [...manifests.of('Deployment'), ...manifests.of('StatefulSet')];
  for (const manifest of sets) {
    const { kind, metadata } = manifest;
    const { namespace = 'default' } = metadata;
    const workload = { stage, manifest, namespace };
    const name = `${subject.name}: ${kind} ${metadata.name}`;
    await point(stage.report, `${name}: every pod is on a node of its own`, async () => {
      const nodes = (await podsOf(workload)).map((pod) => String(at(pod, 'spec.nodeName')));
      equal(nodes.length, wantedReplicas(manifest, manifests));
      equal(new Set(nodes).size, nodes.length, nodes.join(' '));
    });
    if (!isStrict(manifest)) continue;
    await point(stage.report, `${name}: three zones have a pod each`, async () => {
      const zones = await Promise.all((await podsOf(workload)).map((pod) => zoneOf(stage, pod)));
      deepEqual(zones.sort(), ZONES);
    });
    await point(stage.report, `${name}: a pod whose zone is out waits, and without the constraint it would not`, () =>
      judgeLostZone(workload),
    );
  }
}

/** Those that count: not the ones on their way out. */
async function podsOf({ stage, manifest, namespace }: Workload): Promise<readonly unknown[]> {
  const labels = Object.entries(at(manifest, 'spec.selector.matchLabels') as Record<string, string>);
  const selector = encodeURIComponent(labels.map(([label, value]) => `${label}=${value}`).join(','));
  const pods = await listOf(stage, `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`);
  return pods.filter((pod) => at(pod, 'metadata.deletionTimestamp') === undefined);
}

async function zoneOf({ cluster }: Stage, pod: unknown): Promise<string> {
  const { json } = await cluster.api.call(`/api/v1/nodes/${String(at(pod, 'spec.nodeName'))}`);
  return String(at(json, ['metadata', 'labels', ZONE]));
}

async function judgeLostZone(workload: Workload): Promise<void> {
  const { stage, namespace } = workload;
  const { api } = stage.cluster;
  const collection = `/api/v1/namespaces/${namespace}/pods`;
  const [victim] = await podsOf(workload);
  const zone = await zoneOf(stage, victim);
  const isWaiting = (pod: unknown): boolean =>
    listAt(pod, 'status.conditions').some(
      (one) => at(one, 'type') === 'PodScheduled' && at(one, 'reason') === 'Unschedulable',
    );
  await cordoned(stage, zone, async () => {
    await api.delete(`${collection}/${String(at(victim, 'metadata.name'))}`);
    let waiting: unknown;
    await eventually('a pod that waits', async () => {
      waiting = (await podsOf(workload)).find(isWaiting);
      return waiting !== undefined;
    });
    const why = listAt(waiting, 'status.conditions').map((one) => String(at(one, 'message')));
    match(why.join(' '), /didn't match pod topology spread constraints/);
    await judgeMutant(workload, waiting);
  });
  await eventually('a pod in that zone', async () => {
    const pods = (await podsOf(workload)).filter((pod) => at(pod, 'status.phase') === 'Running');
    const zones = await Promise.all(pods.map((pod) => zoneOf(stage, pod)));
    return ZONES.every((one) => zones.includes(one));
  });
}

/** The same pod without the constraint is scheduled at once: it is the constraint that holds it. */
async function judgeMutant({ stage, namespace }: Workload, waiting: unknown): Promise<void> {
  const { api } = stage.cluster;
  const collection = `/api/v1/namespaces/${namespace}/pods`;
  const { topologySpreadConstraints, ...spec } = at(waiting, 'spec') as Readonly<Record<string, unknown>>;
  ok(topologySpreadConstraints !== undefined, 'it has no constraint');
  // Without labels no controller takes it for one of its own.
  await api.create(collection, { metadata: { name: 'without-constraint' }, spec });
  const mutant = `${collection}/without-constraint`;
  try {
    await eventually('a node for the pod without the constraint', async () => {
      const { json } = await api.call(mutant);
      return at(json, 'spec.nodeName') !== undefined;
    });
  } finally {
    await api.delete(mutant);
    await eventually('the end of that pod', async () => (await api.call(mutant)).status === 404);
  }
}

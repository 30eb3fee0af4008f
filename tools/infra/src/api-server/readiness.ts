import { eventually } from '../eventually.ts';
import { at, type Manifest, type Manifests } from '../manifests.ts';
import { NODES, type Stage } from './stage.ts';

const READY_LIMIT_MS = 180_000;

/** Resolves when every controller says that its pods are as many as wanted, ready and of the newest revision. */
export async function allReady(stage: Stage, manifests: Manifests): Promise<void> {
  for (const manifest of workloads(manifests)) {
    const { kind, metadata } = manifest;
    const isReady = readiness(manifest, manifests);
    if (isReady === undefined) continue;
    await eventually(
      `${kind} ${metadata.name} is ready`,
      async () => isReady(await stage.objects.find(manifest)),
      READY_LIMIT_MS,
    );
  }
}

/** What has pods and is no hook. */
export function workloads(manifests: Manifests): readonly Manifest[] {
  return ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'].flatMap((kind) => manifests.of(kind)).filter(isNoHook);
}

export function isNoHook({ metadata }: Manifest): boolean {
  return metadata.annotations?.['helm.sh/hook'] === undefined;
}

/** As many pods as a Deployment or StatefulSet has at least. */
export function wantedReplicas(manifest: Manifest, manifests: Manifests): number {
  const scaler = manifests
    .of('HorizontalPodAutoscaler')
    .find((one) => at(one, 'spec.scaleTargetRef.name') === manifest.metadata.name);
  return Number(at(scaler, 'spec.minReplicas') ?? at(manifest, 'spec.replicas') ?? 1);
}

function readiness(manifest: Manifest, manifests: Manifests): ((found: unknown) => boolean) | undefined {
  const is = (path: string, wanted: number) => (found: unknown) => at(found, `status.${path}`) === wanted;
  const isSeen = (found: unknown): boolean =>
    at(found, 'status.observedGeneration') === at(found, 'metadata.generation');
  switch (manifest.kind) {
    case 'Job':
      return is('succeeded', Number(at(manifest, 'spec.completions') ?? 1));
    case 'DaemonSet':
      return (found) => isSeen(found) && is('numberReady', NODES)(found) && is('updatedNumberScheduled', NODES)(found);
    case 'Deployment': {
      const replicas = wantedReplicas(manifest, manifests);
      const counts = ['replicas', 'readyReplicas', 'updatedReplicas', 'availableReplicas'];
      return (found) => isSeen(found) && counts.every((path) => is(path, replicas)(found));
    }
    default:
      // With OnDelete pods keep their revision until somebody deletes them.
      return (found) => isSeen(found) && is('readyReplicas', wantedReplicas(manifest, manifests))(found);
  }
}

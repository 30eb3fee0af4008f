import { equal, match, ok } from 'node:assert/strict';
import { eventually } from '../eventually.ts';
import { at, type Manifest, type Manifests } from '../manifests.ts';
import { point } from '../point.ts';
import { cordoned, listOf, type Stage } from './stage.ts';
import type { Subject } from './subjects.ts';

/** What evictions do to the pods of each budget, while nothing new can start. */
export async function judgeDisruption(stage: Stage, subject: Subject, manifests: Manifests): Promise<void> {
  for (const budget of manifests.of('PodDisruptionBudget')) {
    const name = `${subject.name}: PodDisruptionBudget ${budget.metadata.name}`;
    await point(stage.report, `${name}: evictions take what it allows, and no more until a pod is back`, () =>
      judgeBudget(stage, budget),
    );
  }
}

async function judgeBudget(stage: Stage, budget: Manifest): Promise<void> {
  const { cluster, objects } = stage;
  const { namespace = 'default' } = budget.metadata;
  const labels = Object.entries(at(budget, 'spec.selector.matchLabels') as Record<string, string>);
  const selector = encodeURIComponent(labels.map(([label, value]) => `${label}=${value}`).join(','));
  const collection = `/api/v1/namespaces/${namespace}/pods`;
  const allowed = async (): Promise<number> => Number(at(await objects.find(budget), 'status.disruptionsAllowed'));
  await eventually('an eviction that is allowed', async () => (await allowed()) > 0);
  const pods = (await listOf(stage, `${collection}?labelSelector=${selector}`)).map((pod) =>
    String(at(pod, 'metadata.name')),
  );
  const evict = (name: string | undefined) =>
    cluster.api.call(`${collection}/${name}/eviction`, {
      body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
    });
  await cordoned(stage, undefined, async () => {
    const count = await allowed();
    ok(count < pods.length, `it allows all ${pods.length} pods to go`);
    for (const name of pods.slice(0, count)) equal((await evict(name)).status, 201, name);
    const { status, text } = await evict(pods[count]);
    equal(status, 429, text);
    match(text, /disruption budget/);
    // The control: it was the budget that held the pod.
    await cluster.api.delete(objects.pathOf(budget));
    await eventually('an eviction without the budget', async () => (await evict(pods[count])).status === 201);
  });
}

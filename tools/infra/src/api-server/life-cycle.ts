import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '@neural-hive/security/common';
import { eventually } from '../eventually.ts';
import type { RenderOptions } from '../helm.ts';
import { at, listAt, type Manifest, type Manifests } from '../manifests.ts';
import { point } from '../point.ts';
import { knownValues, type PreviousCharts, previousCharts } from './previous-charts.ts';
import { allReady, isNoHook, wantedReplicas } from './readiness.ts';
import { run, type Stage } from './stage.ts';
import type { Subject } from './subjects.ts';

const WAIT = { waitSeconds: 180 };

/** What stays by design when a release is uninstalled: data. */
export function keptObjects(manifests: Manifests): readonly string[] {
  const shown = ({ kind, metadata: { name, namespace } }: Manifest): string =>
    `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  const kept = manifests.all.filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep');
  const claims = manifests.of('StatefulSet').flatMap((set) =>
    listAt(set, 'spec.volumeClaimTemplates').flatMap((claim) =>
      Array.from({ length: wantedReplicas(set, manifests) }, (_, ordinal) => {
        const name = `${String(at(claim, 'metadata.name'))}-${set.metadata.name}-${ordinal}`;
        return `PersistentVolumeClaim ${set.metadata.namespace}/${name}`;
      }),
    ),
  );
  return [...kept.map(shown), ...claims].sort();
}

/** `helm install --wait`; then everything rendered is there and every pod ready. */
export async function judgeInstall(stage: Stage, subject: Subject, manifests: Manifests): Promise<void> {
  const { name, options } = subject;
  await point(stage.report, `${name}: helm install --wait`, () => stage.release.install(options, WAIT));
  // Helm waits neither for what a HorizontalPodAutoscaler wants nor for a StatefulSet with OnDelete.
  await point(stage.report, `${name}: every controller has all its pods`, () => allReady(stage, manifests));
  await point(stage.report, `${name}: the server has everything that was rendered`, async () => {
    for (const manifest of manifests.all.filter(isNoHook)) {
      ok((await stage.objects.find(manifest)) !== undefined, `${manifest.kind} ${manifest.metadata.name}`);
    }
  });
}

/** Its tests are Jobs, whose containers kwok plays: shown are their admission, their accounts and their order. */
export async function judgeTest(stage: Stage, subject: Subject, manifests: Manifests): Promise<void> {
  const { options, name } = subject;
  const hooks = manifests.all.filter((one) => !isNoHook(one));
  const namespaces = [...new Set(hooks.map(({ metadata }) => metadata.namespace ?? options.namespace))];
  await point(stage.report, `${name}: helm test`, async () => {
    ok(hooks.length > 0, 'it has no test');
    await stage.release.test(options.release, options.namespace);
  });
  await point(stage.report, `${name}: helm test fails where its pods are not admitted`, async () => {
    const quota = ['quota', 'no-pods', '--hard=pods=0', '--namespace'];
    for (const namespace of namespaces) run(stage.release, ['create', ...quota, namespace]);
    try {
      const why = await stage.release.test(options.release, options.namespace, 5).then(() => undefined, messageOf);
      match(why ?? 'it passed', /timed out|deadline/);
    } finally {
      for (const namespace of namespaces) run(stage.release, ['delete', 'quota/no-pods', '--namespace', namespace]);
      for (const { kind, metadata } of hooks) {
        const place = ['--namespace', metadata.namespace ?? options.namespace];
        run(stage.release, ['delete', `${kind.toLowerCase()}/${metadata.name}`, '--ignore-not-found', ...place]);
      }
    }
  });
}

/** Nothing that was not there before is there after; then what was kept goes too. */
export async function judgeUninstall(
  stage: Stage,
  subject: Subject,
  { before, kept }: { readonly before: readonly string[]; readonly kept: readonly string[] },
): Promise<void> {
  const { name, options } = subject;
  const left = async (): Promise<readonly string[]> =>
    (await stage.objects.all()).filter((one) => !before.includes(one)).sort();
  await point(stage.report, `${name}: helm uninstall leaves nothing but data`, async () => {
    await stage.release.uninstall(options.release, options.namespace);
    try {
      await eventually('only data', async () => JSON.stringify(await left()) === JSON.stringify(kept));
    } catch {
      deepEqual(await left(), kept);
    }
  });
  await point(stage.report, `${name}: one object more would be noticed`, async () => {
    const place = ['configmap', 'left-behind', '--namespace', 'default'];
    run(stage.release, ['create', ...place]);
    equal((await left()).length, kept.length + 1);
    run(stage.release, ['delete', ...place]);
  });
  for (const one of kept.filter((line) => line.startsWith('PersistentVolumeClaim '))) {
    const [namespace = '', claim = ''] = (one.split(' ')[1] ?? '').split('/');
    run(stage.release, ['delete', `persistentvolumeclaim/${claim}`, '--namespace', namespace]);
  }
}

/** The chart of the commit before, then this one over it. */
export async function judgeUpgrade(stage: Stage, subject: Subject, root: string): Promise<void> {
  const { name, options } = subject;
  const { report, release } = stage;
  const previous = await previousCharts(root, subject.sources);
  try {
    const before = previous && (await optionsBefore(stage, subject, previous));
    const from = before === undefined ? 'itself' : `the chart of ${previous?.commit}`;
    stage.progress(`${name}: it is upgraded from ${from}`);
    await point(report, `${name}: ${from} is installed`, () => release.install(before ?? options, WAIT));
    await point(report, `${name}: helm upgrade --wait from ${from}`, async () => {
      await release.upgrade(options, WAIT);
      // A Job that is a hook of upgrades alone is not among what was rendered for an installation.
      await allReady(stage, await release.manifests(options.release, options.namespace));
      const releases = run(release, ['get', 'secrets', '--namespace', options.namespace, '--output', 'name']);
      match(releases, new RegExp(`sh\\.helm\\.release\\.v1\\.${options.release}\\.v2`));
    });
  } finally {
    if (previous !== undefined) rmSync(previous.folder, { recursive: true, force: true });
  }
}

/** The older chart with its own profile, and with what an installation says of today's values. */
async function optionsBefore(
  stage: Stage,
  { name, options }: Subject,
  { folder, commit }: PreviousCharts,
): Promise<RenderOptions | undefined> {
  const chart = join(folder, 'helm-charts', basename(options.chart));
  const valueFiles = (options.valueFiles ?? []).map((file) => join(chart, basename(file)));
  const known = await knownValues(stage.helm, { ...options, chart, valueFiles });
  if (known === undefined) stage.progress(`${name}: the chart of ${commit} refuses today's values`);
  return known;
}

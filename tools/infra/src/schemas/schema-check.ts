import type { Check, CheckContext, Report } from '../check.ts';
import { Helm } from '../helm.ts';
import type { Manifests } from '../manifests.ts';
import { changed, type Mutation, together } from '../mutation.ts';
import { renderings } from '../renderings.ts';
import { Kubeconform, type Verdict } from './kubeconform.ts';
import { KUBERNETES_VERSIONS } from './kubernetes-schemas.ts';

const MUTATED_KINDS = ['StatefulSet', 'DaemonSet', 'Deployment', 'NetworkPolicy', 'ServiceMonitor', 'Certificate'];

/** A field that no type has, in the first object of each of the kinds. */
export function misspelt(manifests: Manifests): { readonly kinds: readonly string[]; readonly mutation: Mutation } {
  const found = MUTATED_KINDS.flatMap((kind) => manifests.of(kind).slice(0, 1));
  const mutations = found.map(({ kind, metadata }) => changed(kind, metadata.name, 'spec.podManagmentPolicy', 'x'));
  return { kinds: found.map(({ kind }) => kind), mutation: together('misspelt fields', ...mutations) };
}

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const helm = await Helm.open();
  const kubeconform = await Kubeconform.open({ log: progress });
  for (const version of KUBERNETES_VERSIONS) {
    const rendered = await Promise.all(
      renderings(root).map(async ({ name, options }) => {
        const manifests = await helm.render({ ...options, kubeVersion: version });
        return { point: `${name} on ${version}`, manifests, ...misspelt(manifests) };
      }),
    );
    progress(`${rendered.length} renderings on ${version}`);
    const lists = rendered.flatMap(({ manifests, mutation }) => [manifests, mutation.apply(manifests)]);
    const verdicts = await kubeconform.judge(lists, version);
    for (const [index, { point, manifests, kinds }] of rendered.entries()) {
      reportVerdict(point, manifests, verdicts[2 * index], report);
      for (const kind of kinds) {
        const noticed = verdicts[2 * index + 1]?.problems.some((problem) => problem.startsWith(`${kind} `));
        if (noticed === true) report.passed(`${point}, mutated`);
        else report.failed(`${point}, mutated`, `it did not notice a misspelt field in a ${kind}`);
      }
    }
  }
}

function reportVerdict(point: string, { all }: Manifests, verdict: Verdict | undefined, report: Report): void {
  const { valid, problems } = verdict ?? { valid: 0, problems: [] };
  for (const problem of problems) report.failed(point, problem);
  for (let count = 0; count < valid; count += 1) report.passed(point);
  // What had no schema was not judged, which looks like success.
  const unjudged = all.length - valid - problems.length;
  if (unjudged > 0) report.failed(point, `${unjudged} of ${all.length} objects were not judged`);
}

export const schemaCheck: Check = {
  name: 'schemas',
  what: 'everything the charts render against the schemas of Kubernetes 1.30, 1.32 and 1.37, strict, nothing skipped',
  run,
};

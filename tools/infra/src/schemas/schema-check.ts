import type { Check, CheckContext } from '../check.ts';
import { Helm } from '../helm.ts';
import type { Manifests } from '../manifests.ts';
import { changed, type Mutation, together } from '../mutation.ts';
import { renderings } from '../renderings.ts';
import { Kubeconform } from './kubeconform.ts';
import { KUBERNETES_VERSIONS } from './kubernetes-schemas.ts';

const MUTATED_KINDS = ['StatefulSet', 'DaemonSet', 'Deployment', 'NetworkPolicy', 'ServiceMonitor', 'Certificate'];

/** A field that no type has, in the first object of each of the kinds. */
function misspelt(manifests: Manifests): { readonly kinds: readonly string[]; readonly mutation: Mutation } {
  const found = MUTATED_KINDS.flatMap((kind) => manifests.of(kind).slice(0, 1));
  const mutations = found.map(({ kind, metadata }) => changed(kind, metadata.name, 'spec.podManagmentPolicy', 'x'));
  return { kinds: found.map(({ kind }) => kind), mutation: together('misspelt fields', ...mutations) };
}

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const helm = await Helm.open();
  const kubeconform = await Kubeconform.open({ log: progress });
  for (const { name, options } of renderings(root)) {
    for (const version of KUBERNETES_VERSIONS) {
      const point = `${name} on ${version}`;
      const manifests = await helm.render({ ...options, kubeVersion: version });
      const { valid, skipped, problems } = await kubeconform.judge(manifests, version);
      for (const problem of problems) report.failed(point, problem);
      // What had no schema was not judged, which looks like success.
      if (skipped > 0) report.failed(point, `${skipped} of ${manifests.all.length} objects were not judged`);
      for (let count = 0; count < valid; count += 1) report.passed(point);
      const { kinds, mutation } = misspelt(manifests);
      const mutated = await kubeconform.judge(mutation.apply(manifests), version);
      for (const kind of kinds) {
        if (mutated.problems.some((problem) => problem.startsWith(`${kind} `))) report.passed(`${point}, mutated`);
        else report.failed(`${point}, mutated`, `it did not notice a misspelt field in a ${kind}`);
      }
    }
  }
}

export const schemaCheck: Check = {
  name: 'schemas',
  what: 'everything the charts render against the schemas of Kubernetes 1.30, 1.32 and 1.37, strict, nothing skipped',
  run,
};

import type { Report } from '../check.ts';
import { at, listAt, type Manifests } from '../manifests.ts';
import { type Mutation, without } from '../mutation.ts';
import { type AccessQuestion, type AccessTable, accessTable, tableDifferences } from './access-table.ts';

/**
 * Compares what the policies allow with the committed table, and shows that every rule of them is needed: without any
 * one of them, an answer changes.
 */
export function judgeAccess(
  name: string,
  manifests: Manifests,
  { question, table }: { readonly question: AccessQuestion; readonly table: AccessTable },
  report: Report,
): void {
  const policies = manifests.of('NetworkPolicy');
  const found = accessTable(policies, question);
  const differences = tableDifferences(table, found);
  for (const difference of differences) report.failed(name, difference);
  if (differences.length > 0) return;
  for (const _ of found) report.passed(name);
  for (const mutation of ruleRemovals(manifests)) {
    const after = accessTable(mutation.apply(manifests).of('NetworkPolicy'), question);
    if (tableDifferences(found, after).length > 0) report.passed(`${name}, mutated`);
    else
      report.failed(
        `${name}, mutated`,
        `nothing is different with ${mutation.what}: the rule is not needed, or not asked about`,
      );
  }
}

/** Each peer and each port of each rule taken away, one at a time; the last one takes the rule with it. */
function ruleRemovals(manifests: Manifests): readonly Mutation[] {
  return manifests.of('NetworkPolicy').flatMap((policy) => {
    const { name } = policy.metadata;
    return (['ingress', 'egress'] as const).flatMap((direction) =>
      listAt(policy, `spec.${direction}`).flatMap((rule, index) =>
        [direction === 'ingress' ? 'from' : 'to', 'ports'].flatMap((part) => {
          const path = `spec.${direction}.${index}`;
          const list = listAt(rule, part);
          if (list.length <= 1) return [without('NetworkPolicy', name, path)];
          return [...list.keys()].map((position) => without('NetworkPolicy', name, `${path}.${part}.${position}`));
        }),
      ),
    );
  });
}

/** Whether the policies of a namespace say their directions themselves. */
export function policiesWithoutTypes(manifests: Manifests): readonly string[] {
  return manifests
    .of('NetworkPolicy')
    .filter((policy) => listAt(policy, 'spec.policyTypes').length === 0 || at(policy, 'spec.podSelector') === undefined)
    .map(({ metadata }) => metadata.name);
}

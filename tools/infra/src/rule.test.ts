import { equal } from 'node:assert/strict';
import { expect, test } from 'vitest';
import type { Report } from './check.ts';
import { Manifests } from './manifests.ts';
import { changed, without, withoutManifest } from './mutation.ts';
import { judgeRule, judgeRules, type Rule } from './rule.ts';

const manifests = new Manifests([
  { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'vault' }, spec: { replicas: 3 } },
]);

const threeReplicas: Rule = {
  id: 'replicas',
  what: 'there are three servers',
  assert: (rendered) => equal(rendered.at('StatefulSet', 'vault', 'spec.replicas'), 3),
  mutations: [without('StatefulSet', 'vault', 'spec.replicas'), withoutManifest('StatefulSet', 'vault')],
};

function verdicts(rule: Rule, rendered: Manifests = manifests): { passed: number; failures: string[] } {
  const seen = { passed: 0, failures: [] as string[] };
  const report: Report = {
    passed: () => {
      seen.passed += 1;
    },
    failed: (point, why) => seen.failures.push(`${point}: ${why}`),
    skipped: (point, why) => seen.failures.push(`${point} skipped: ${why}`),
  };
  judgeRule(rule, rendered, report);
  return seen;
}

test('a rule that holds and notices each mutation passes once for each', () => {
  expect(verdicts(threeReplicas)).toEqual({ passed: 3, failures: [] });
});

test('a broken rule is one failure, and its mutations are not tried', () => {
  const broken = changed('StatefulSet', 'vault', 'spec.replicas', 2).apply(manifests);
  const { passed, failures } = verdicts(threeReplicas, broken);
  expect(passed).toBe(0);
  expect(failures).toHaveLength(1);
  expect(failures[0]).toContain('there are three servers');
});

test('a rule without a mutation fails', () => {
  expect(verdicts({ ...threeReplicas, mutations: [] }).failures).toEqual([
    'replicas: has no mutation, so nothing shows that it can fail',
  ]);
});

test('a mutation that changes nothing, and one that is not noticed, fail', () => {
  const idle = without('StatefulSet', 'vault', 'spec.nothing');
  expect(verdicts({ ...threeReplicas, mutations: [idle] }).failures[0]).toContain('nothing was changed by');
  const unnoticed = changed('StatefulSet', 'vault', 'spec.serviceName', 'x');
  expect(verdicts({ ...threeReplicas, mutations: [unnoticed] }).failures[0]).toContain('it did not notice');
});

test('falling over at a mutation is not noticing it', () => {
  const fragile: Rule = {
    ...threeReplicas,
    assert: ({ all }) => equal((all[0] as unknown as { spec: { replicas: number } }).spec.replicas, 3),
    mutations: [without('StatefulSet', 'vault', 'spec')],
  };
  expect(verdicts(fragile).failures[0]).toContain('it fell over');
});

test('two rules of one name are refused', () => {
  const report: Report = { passed: () => {}, failed: () => {}, skipped: () => {} };
  expect(() => judgeRules([threeReplicas, threeReplicas], manifests, report)).toThrow(RangeError);
});

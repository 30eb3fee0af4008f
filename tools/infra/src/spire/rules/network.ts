import { deepEqual, equal } from 'node:assert/strict';
import { at } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { NAMESPACE } from '../renderings.ts';
import { selects, workloads } from './pods.ts';

/** Point 38; who reaches whom is in `tables/spire-*.tsv`. */
export const NETWORK_RULES: readonly Rule[] = [
  {
    id: 'spire-38',
    what: 'every pod that the chart makes is under one policy, which says both directions',
    assert: (manifests) => {
      const policies = manifests.of('NetworkPolicy');
      for (const policy of policies) {
        deepEqual(at(policy, 'spec.policyTypes'), ['Ingress', 'Egress'], policy.metadata.name);
      }
      for (const workload of workloads(manifests)) {
        const found = policies.filter(
          (policy) =>
            policy.metadata.namespace === workload.metadata.namespace &&
            selects(at(policy, 'spec.podSelector.matchLabels'), workload),
        );
        equal(found.length, 1, `${workload.kind} ${workload.metadata.name}`);
      }
    },
    mutations: [
      without('NetworkPolicy', 'spire-server', 'spec.policyTypes.1'),
      changed('NetworkPolicy', 'spire-agent', 'metadata.namespace', NAMESPACE),
      withoutManifest('NetworkPolicy', 'spire-test'),
      changed('NetworkPolicy', 'spire-csi-driver', 'spec.podSelector.matchLabels', { app: 'driver' }),
    ],
  },
];

export const HOST_NETWORK_POLICY_RULES: readonly Rule[] = [
  {
    id: 'spire-38, host network',
    what: 'agents in their nodes’ network are let in by the nodes’ range, since no selector would match them',
    assert: (manifests) => {
      deepEqual(manifests.at('NetworkPolicy', 'spire-server', 'spec.ingress.0.from'), [
        { ipBlock: { cidr: '10.0.0.0/18' } },
      ]);
      equal(
        manifests.find('NetworkPolicy', 'spire-agent'),
        undefined,
        'a policy for the host network would say nothing',
      );
    },
    mutations: [
      without('NetworkPolicy', 'spire-server', 'spec.ingress.0'),
      changed('NetworkPolicy', 'spire-server', 'spec.ingress.0.from', [{ podSelector: {} }]),
    ],
  },
];

import { deepEqual, equal, ok } from 'node:assert/strict';
import { WORKLOADS } from '@neural-hive/contracts';
import { at, under } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { restrictedProblems } from '../pod-security.ts';
import { podSpecs } from '../pods.ts';
import { SERVICE_NAMES } from '../service-charts.ts';

const LEVEL = 'pod-security.kubernetes.io/enforce';
const KEEP = 'helm.sh/resource-policy';
const ORCHESTRATION = WORKLOADS['orchestrator-dynamic'].namespace;

export const UMBRELLA_RULES: readonly Rule[] = [
  {
    id: 'umbrella-namespaces',
    what: 'each service is in its own namespace, which enforces restricted and stays when the release goes',
    assert: (manifests) => {
      for (const name of SERVICE_NAMES) {
        const { namespace } = WORKLOADS[name];
        const labels = manifests.get('Namespace', namespace).metadata;
        equal(labels.labels?.[LEVEL], 'restricted', namespace);
        equal(labels.annotations?.[KEEP], 'keep', namespace);
        equal(manifests.get('Deployment', name).metadata.namespace, namespace);
        equal(manifests.get('ServiceAccount', name).metadata.namespace, namespace);
      }
    },
    mutations: [
      withoutManifest('Namespace', ORCHESTRATION),
      without('Namespace', ORCHESTRATION, under('metadata.labels', LEVEL)),
      changed('Namespace', ORCHESTRATION, under('metadata.labels', LEVEL), 'privileged'),
      without('Namespace', ORCHESTRATION, under('metadata.annotations', KEEP)),
      changed('Deployment', 'worker-agents', 'metadata.namespace', ORCHESTRATION),
    ],
  },
  {
    id: 'umbrella-pods',
    what: 'the pods of all services together are admitted by what the namespaces enforce',
    assert: (manifests) => {
      const pods = podSpecs(manifests);
      ok(pods.length >= 7, `${pods.length} pods`);
      deepEqual(
        pods.flatMap(({ spec }) => restrictedProblems(spec)),
        [],
      );
      for (const { spec } of pods) equal(at(spec, 'hostNetwork'), undefined);
    },
    mutations: [
      withoutManifest('Deployment', 'service-registry'),
      changed('Deployment', 'service-registry', 'spec.template.spec.hostNetwork', true),
      without('Deployment', 'worker-agents', 'spec.template.spec.securityContext'),
    ],
  },
];

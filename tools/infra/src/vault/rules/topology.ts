import { deepEqual, equal, ok } from 'node:assert/strict';
import { at, listAt, under } from '../../manifests.ts';
import { changed, rewritten, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CHART_FILES } from '../chart-files.ts';
import {
  assertSelectsServers,
  changedOfSet,
  ofVault,
  POD,
  quantity,
  SERVER_LABELS,
  serverSet,
  VAULT,
  withoutOfSet,
} from '../server-pod.ts';

const ANTI_AFFINITY = `${POD}.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution`;
const SPREAD = `${POD}.topologySpreadConstraints`;
const CHECKSUM = under('spec.template.metadata.annotations', 'checksum/config');

/** Points 1 to 7. */
export const TOPOLOGY_RULES: readonly Rule[] = [
  {
    id: 'vault-1',
    what: 'three servers start at the same time, each with a name below the headless service',
    assert: (manifests) => {
      const set = serverSet(manifests);
      equal(at(set, 'spec.replicas'), 3);
      equal(at(set, 'spec.podManagementPolicy'), 'Parallel');
      equal(at(set, 'spec.serviceName'), 'vault-internal');
      equal(manifests.at('Service', 'vault-internal', 'spec.clusterIP'), 'None');
      equal(manifests.at('Service', 'vault-internal', 'spec.publishNotReadyAddresses'), true);
    },
    mutations: [
      changedOfSet('spec.replicas', 2),
      withoutOfSet('spec.podManagementPolicy'),
      changedOfSet('spec.serviceName', 'vault'),
      without('Service', 'vault-internal', 'spec.clusterIP'),
      without('Service', 'vault-internal', 'spec.publishNotReadyAddresses'),
    ],
  },
  {
    id: 'vault-2',
    what: 'pods are replaced by hand, their template shows which have an old configuration, and the procedure is written',
    assert: (manifests) => {
      equal(at(serverSet(manifests), 'spec.updateStrategy.type'), 'OnDelete');
      ok(/^[0-9a-f]{64}$/.test(String(at(serverSet(manifests), CHECKSUM))), 'no checksum of the configuration');
      const readme = String(manifests.at(CHART_FILES, 'vault', ['data', 'README.md']));
      ok(/standbys? first/i.test(readme) && /step-down/.test(readme), 'README.md does not say in which order');
    },
    mutations: [
      changedOfSet('spec.updateStrategy.type', 'RollingUpdate'),
      without('StatefulSet', 'vault', CHECKSUM),
      rewritten(CHART_FILES, 'vault', ['data', 'README.md'], /step-down/g, ''),
    ],
  },
  {
    id: 'vault-3',
    what: 'no two servers share a node, and they spread over the zones',
    assert: (manifests) => {
      const [term] = listAt(serverSet(manifests), ANTI_AFFINITY);
      equal(at(term, 'topologyKey'), 'kubernetes.io/hostname');
      assertSelectsServers(at(term, 'labelSelector'));
      const [constraint] = listAt(serverSet(manifests), SPREAD);
      equal(at(constraint, 'topologyKey'), 'topology.kubernetes.io/zone');
      equal(at(constraint, 'maxSkew'), 1);
      equal(at(constraint, 'whenUnsatisfiable'), 'DoNotSchedule');
      assertSelectsServers(at(constraint, 'labelSelector'));
    },
    mutations: [
      withoutOfSet(ANTI_AFFINITY),
      withoutOfSet(SPREAD),
      changedOfSet(`${SPREAD}.0.whenUnsatisfiable`, 'ScheduleAnyway'),
      changedOfSet(`${ANTI_AFFINITY}.0.labelSelector.matchLabels`, { 'app.kubernetes.io/name': 'vault' }),
      changedOfSet(`${ANTI_AFFINITY}.0.topologyKey`, 'topology.kubernetes.io/zone'),
    ],
  },
  {
    id: 'vault-4',
    what: 'a disruption takes one server at a time, so that two of three remain',
    assert: (manifests) => {
      const budget = manifests.get('PodDisruptionBudget', 'vault');
      equal(at(budget, 'spec.maxUnavailable'), 1);
      equal(at(budget, 'spec.minAvailable'), undefined);
      assertSelectsServers(at(budget, 'spec.selector'));
    },
    mutations: [
      withoutManifest('PodDisruptionBudget', 'vault'),
      changed('PodDisruptionBudget', 'vault', 'spec.maxUnavailable', 2),
      changed('PodDisruptionBudget', 'vault', 'spec.minAvailable', 3),
      without('PodDisruptionBudget', 'vault', under('spec.selector.matchLabels', 'app.kubernetes.io/component')),
    ],
  },
  {
    id: 'vault-5',
    what: 'a server is important to the scheduler and has time to step down after it has left the endpoints',
    assert: (manifests) => {
      equal(at(serverSet(manifests), `${POD}.priorityClassName`), 'system-cluster-critical');
      const grace = Number(at(serverSet(manifests), `${POD}.terminationGracePeriodSeconds`));
      ok(grace >= 30 && grace > 10 + Number(ofVault(manifests, 'lifecycle.preStop.sleep.seconds')), `${grace} s`);
    },
    mutations: [
      withoutOfSet(`${POD}.priorityClassName`),
      withoutOfSet(`${POD}.terminationGracePeriodSeconds`),
      changedOfSet(`${POD}.terminationGracePeriodSeconds`, 10),
      changedOfSet(`${VAULT}.lifecycle.preStop.sleep.seconds`, 60),
    ],
  },
  {
    id: 'vault-6',
    what: 'each server has a volume of 10 Gi for Raft and one for audit, encrypted and kept when it is deleted',
    assert: (manifests) => {
      const set = serverSet(manifests);
      deepEqual(at(set, 'spec.persistentVolumeClaimRetentionPolicy'), { whenDeleted: 'Retain', whenScaled: 'Retain' });
      for (const name of ['data', 'audit']) {
        const claim = claimOf(set, name);
        deepEqual(at(claim, 'spec.accessModes'), ['ReadWriteOnce'], name);
        equal(at(claim, 'spec.resources.requests.storage'), '10Gi', name);
        equal(at(claim, 'spec.storageClassName'), 'gp3', name);
        deepEqual(at(claim, 'metadata.labels'), SERVER_LABELS, name);
        equal(at(set, `${VAULT}.volumeMounts.name=${name}.mountPath`), `/vault/${name}`);
      }
    },
    mutations: [
      withoutOfSet('spec.persistentVolumeClaimRetentionPolicy'),
      withoutOfSet('spec.volumeClaimTemplates.0'),
      withoutOfSet('spec.volumeClaimTemplates.1'),
      changedOfSet('spec.volumeClaimTemplates.0.spec.resources.requests.storage', '1Gi'),
      withoutOfSet('spec.volumeClaimTemplates.0.spec.storageClassName'),
      withoutOfSet(`${VAULT}.volumeMounts.name=data`),
    ],
  },
  {
    id: 'vault-7',
    what: 'requests and a limit of memory twice as large; no limit on CPU, which would delay heartbeats',
    assert: (manifests) => {
      const requested = quantity(ofVault(manifests, 'resources.requests.memory'));
      ok(quantity(ofVault(manifests, 'resources.limits.memory')) >= 2 * requested, 'memory');
      ok(quantity(ofVault(manifests, 'resources.requests.cpu')) > 0, 'cpu request');
      equal(ofVault(manifests, 'resources.limits.cpu'), undefined);
    },
    mutations: [
      withoutOfSet(`${VAULT}.resources.requests`),
      withoutOfSet(`${VAULT}.resources.limits.memory`),
      changedOfSet(`${VAULT}.resources.limits.memory`, '1Gi'),
      changedOfSet(`${VAULT}.resources.limits.cpu`, '100m'),
    ],
  },
];

function claimOf(set: unknown, name: string): unknown {
  return listAt(set, 'spec.volumeClaimTemplates').find((claim) => at(claim, 'metadata.name') === name);
}

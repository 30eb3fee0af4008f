import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { at, type Manifests } from '../../manifests.ts';
import { changed, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, reconfigured } from '../configuration.ts';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';
import { POD, volumeAt } from './pods.ts';

const AGENT = ['DaemonSet', 'spire-agent'] as const;
const CONTAINER = `${POD}.containers.name=spire-agent`;
const CLUSTER_ROLE = 'spire-spire-agent';
const KUBELET = 'plugins.WorkloadAttestor.k8s.plugin_data';

const agentOf = (manifests: Manifests): unknown => at(configuration(manifests, 'spire-agent'), 'agent');

/** Points 26 to 31, as production is installed. */
export const AGENT_ATTESTATION_RULES: readonly Rule[] = [
  {
    id: 'spire-26',
    what: 'workloads are attested by Kubernetes alone, and the kubelet’s certificate is verified',
    assert: (manifests) => {
      const attestors = at(configuration(manifests, 'spire-agent'), 'plugins.WorkloadAttestor');
      deepEqual(Object.keys(attestors as object), ['k8s']);
      const kubelet = at(attestors, 'k8s.plugin_data');
      equal(at(kubelet, 'skip_kubelet_verification'), undefined);
      equal(at(kubelet, 'kubelet_ca_path'), '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt');
      equal(at(kubelet, 'use_new_container_locator'), true);
      const name = String(at(kubelet, 'node_name_env'));
      equal(manifests.at(...AGENT, `${CONTAINER}.env.name=${name}.valueFrom.fieldRef.fieldPath`), 'spec.nodeName');
    },
    mutations: [
      reconfigured('spire-agent', `${KUBELET}.skip_kubelet_verification`, true),
      reconfigured('spire-agent', 'plugins.WorkloadAttestor.docker', { plugin_data: {} }),
      reconfigured('spire-agent', `${KUBELET}.kubelet_ca_path`, undefined),
      without(...AGENT, `${CONTAINER}.env`),
    ],
  },
  {
    id: 'spire-27',
    what: 'agents may ask the kubelet for pods, and nothing else',
    assert: (manifests) => {
      deepEqual(manifests.at('ClusterRole', CLUSTER_ROLE, 'rules'), [
        { apiGroups: [''], resources: ['pods', 'nodes', 'nodes/proxy'], verbs: ['get'] },
      ]);
      const binding = manifests.get('ClusterRoleBinding', CLUSTER_ROLE);
      equal(at(binding, 'roleRef.name'), CLUSTER_ROLE);
      deepEqual(binding.subjects, [{ kind: 'ServiceAccount', name: 'spire-agent', namespace: AGENT_NAMESPACE }]);
      equal(manifests.at(...AGENT, `${POD}.automountServiceAccountToken`), true);
    },
    mutations: [
      changed('ClusterRole', CLUSTER_ROLE, 'rules.0.resources', ['pods']),
      changed('ClusterRole', CLUSTER_ROLE, 'rules.0.verbs', ['get', 'list']),
      changed('ClusterRoleBinding', CLUSTER_ROLE, 'subjects.0.namespace', NAMESPACE),
      without(...AGENT, `${POD}.automountServiceAccountToken`),
    ],
  },
  {
    id: 'spire-28',
    what: 'an agent keeps its key in memory: a restarted one attests again',
    assert: (manifests) => {
      const managers = at(configuration(manifests, 'spire-agent'), 'plugins.KeyManager');
      deepEqual(Object.keys(managers as object), ['memory']);
      equal(
        at(volumeAt(manifests.get(...AGENT), String(at(agentOf(manifests), 'data_dir'))), 'hostPath.type'),
        'DirectoryOrCreate',
      );
    },
    mutations: [
      reconfigured('spire-agent', 'plugins.KeyManager', { disk: { plugin_data: { directory: '/tmp' } } }),
      reconfigured('spire-agent', 'agent.data_dir', '/var/lib/elsewhere'),
    ],
  },
  {
    id: 'spire-29',
    what: 'health and metrics are on ports of their own, and the probes ask the first',
    assert: (manifests) => {
      const { health_checks: health, telemetry } = configuration(manifests, 'spire-agent');
      const container = at(manifests.get(...AGENT), CONTAINER);
      equal(String(at(container, 'ports.name=health.containerPort')), at(health, 'bind_port'));
      equal(at(container, 'ports.name=metrics.containerPort'), at(telemetry, 'Prometheus.port'));
      equal(at(health, 'bind_address'), '0.0.0.0');
      for (const port of [at(health, 'bind_port'), String(at(telemetry, 'Prometheus.port'))]) notEqual(port, '8080');
      for (const [probe, path] of [
        ['startupProbe', 'live_path'],
        ['livenessProbe', 'live_path'],
        ['readinessProbe', 'ready_path'],
      ] as const) {
        equal(at(container, `${probe}.httpGet.port`), 'health', probe);
        equal(at(container, `${probe}.httpGet.path`), at(health, path), probe);
      }
    },
    mutations: [
      reconfigured('spire-agent', 'health_checks.bind_port', '8080'),
      reconfigured('spire-agent', 'telemetry', undefined),
      reconfigured('spire-agent', 'health_checks.bind_address', undefined),
      without(...AGENT, `${CONTAINER}.livenessProbe`),
    ],
  },
  {
    id: 'spire-30',
    what: 'an agent’s pod waits for the bundle rather than falling over without it',
    assert: (manifests) => {
      const bundle = manifests.at(...AGENT, `${POD}.volumes.name=bundle.configMap`);
      equal(at(bundle, 'optional'), false);
      deepEqual(at(bundle, 'items'), [{ key: 'bundle.crt', path: 'bundle.crt' }]);
    },
    mutations: [
      changed(...AGENT, `${POD}.volumes.name=bundle.configMap.optional`, true),
      without(...AGENT, `${POD}.volumes.name=bundle.configMap.items`),
    ],
  },
  {
    id: 'spire-31',
    what: 'an agent is root without capabilities, on a file system that it cannot write',
    assert: (manifests) => {
      const security = manifests.at(...AGENT, `${CONTAINER}.securityContext`);
      deepEqual(security, {
        runAsUser: 0,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      equal(manifests.at(...AGENT, `${POD}.securityContext.seccompProfile.type`), 'RuntimeDefault');
    },
    mutations: [
      changed(...AGENT, `${CONTAINER}.securityContext.runAsUser`, 1000),
      changed(...AGENT, `${CONTAINER}.securityContext.privileged`, true),
      without(...AGENT, `${CONTAINER}.securityContext.capabilities`),
      without(...AGENT, `${POD}.securityContext`),
    ],
  },
];

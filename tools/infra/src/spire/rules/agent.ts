import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { AGENT_SOCKET } from '@neural-hive/contracts';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, reconfigured } from '../configuration.ts';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';
import { mountAt, POD, volumeAt } from './pods.ts';

const AGENT = ['DaemonSet', 'spire-agent'] as const;
const CONTAINER = `${POD}.containers.name=spire-agent`;
const CLUSTER_ROLE = 'spire-spire-agent';
const KUBELET = 'plugins.WorkloadAttestor.k8s.plugin_data';

const agentOf = (manifests: Manifests): unknown => at(configuration(manifests, 'spire-agent'), 'agent');

/** Points 21 to 31, as production is installed. */
export const AGENT_RULES: readonly Rule[] = [
  {
    id: 'spire-21',
    what: 'an agent is on every node whatever it is tainted with, and a few at a time are replaced',
    assert: (manifests) => {
      deepEqual(manifests.at(...AGENT, `${POD}.tolerations`), [{ operator: 'Exists' }]);
      equal(manifests.at(...AGENT, 'spec.updateStrategy.type'), 'RollingUpdate');
      equal(manifests.at(...AGENT, 'spec.updateStrategy.rollingUpdate.maxUnavailable'), '10%');
      equal(manifests.at(...AGENT, `${POD}.priorityClassName`), 'system-node-critical');
      equal(manifests.at(...AGENT, `${POD}.nodeSelector`), undefined);
    },
    mutations: [
      changed(...AGENT, `${POD}.tolerations`, [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }]),
      changed(...AGENT, 'spec.updateStrategy', { type: 'OnDelete' }),
      without(...AGENT, `${POD}.priorityClassName`),
    ],
  },
  {
    id: 'spire-22',
    what: 'an agent sees its node’s processes and asks the kubelet by the node’s name, from a network that policies see',
    assert: (manifests) => {
      equal(manifests.at(...AGENT, `${POD}.hostPID`), true);
      equal(manifests.at(...AGENT, `${POD}.hostNetwork`), false);
      equal(manifests.at(...AGENT, `${POD}.dnsPolicy`), 'ClusterFirst');
      equal(at(configuration(manifests, 'spire-agent'), `${KUBELET}.node_name_env`), 'MY_NODE_NAME');
    },
    mutations: [
      without(...AGENT, `${POD}.hostPID`),
      changed(...AGENT, `${POD}.hostNetwork`, true),
      reconfigured('spire-agent', `${KUBELET}.node_name_env`, undefined),
    ],
  },
  {
    id: 'spire-23',
    what: 'the socket is where the code looks for it, in a folder of the node that consumers mount as a folder',
    assert: (manifests) => {
      equal(at(agentOf(manifests), 'socket_path'), AGENT_SOCKET);
      const folder = at(volumeAt(manifests.get(...AGENT), AGENT_SOCKET), 'hostPath');
      deepEqual(folder, { path: '/run/spire/sockets', type: 'DirectoryOrCreate' });
      const provider = manifests.get('Deployment', 'spire-oidc');
      deepEqual(at(volumeAt(provider, AGENT_SOCKET), 'csi'), { driver: 'csi.spiffe.io', readOnly: true });
      equal(at(mountAt(provider, AGENT_SOCKET), 'readOnly'), true);
      const driver = manifests.get('DaemonSet', 'spire-csi-driver');
      ok(listAt(driver, `${POD}.containers.0.args`).includes('-workload-api-socket-dir=/spire-agent-socket'), 'driver');
      equal(at(volumeAt(driver, '/spire-agent-socket'), 'hostPath.path'), '/run/spire/sockets');
    },
    mutations: [
      reconfigured('spire-agent', 'agent.socket_path', '/tmp/spire-agent/public/api.sock'),
      changed(...AGENT, `${POD}.volumes.name=sockets.hostPath.type`, 'Directory'),
      without('Deployment', 'spire-oidc', `${POD}.containers.0.volumeMounts.name=spire-agent-socket.readOnly`),
      changed(
        'DaemonSet',
        'spire-csi-driver',
        `${POD}.volumes.name=agent-sockets.hostPath.path`,
        '/run/spire/agent-sockets',
      ),
    ],
  },
  {
    id: 'spire-24',
    what: 'an agent asks the servers’ service and believes only a server of the bundle, of which it reads the newest',
    assert: (manifests) => {
      const agent = agentOf(manifests);
      equal(at(agent, 'server_address'), `spire-server.${NAMESPACE}.svc.cluster.local`);
      equal(at(agent, 'server_port'), manifests.at('Service', 'spire-server', 'spec.ports.name=grpc.port'));
      const mount = mountAt(manifests.get(...AGENT), String(at(agent, 'trust_bundle_path')));
      equal(at(mount, 'subPath'), undefined);
      equal(at(agent, 'insecure_bootstrap'), undefined);
      equal(at(agent, 'rebootstrap_mode'), 'auto');
    },
    mutations: [
      reconfigured('spire-agent', 'agent.server_address', 'spire-server'),
      reconfigured('spire-agent', 'agent.server_port', 443),
      reconfigured('spire-agent', 'agent.insecure_bootstrap', true),
      reconfigured('spire-agent', 'agent.trust_bundle_path', '/run/spire/ca/bundle.crt'),
      changed(...AGENT, `${CONTAINER}.volumeMounts.name=bundle.subPath`, 'bundle.crt'),
    ],
  },
  {
    id: 'spire-25',
    what: 'an agent attests by a projected token of its own, where its configuration looks for it',
    assert: (manifests) => {
      const path = String(
        at(configuration(manifests, 'spire-agent'), 'plugins.NodeAttestor.k8s_psat.plugin_data.token_path'),
      );
      equal(path, '/var/run/secrets/tokens/spire-agent');
      const token = at(volumeAt(manifests.get(...AGENT), path), 'projected.sources.0.serviceAccountToken');
      deepEqual(token, { path: 'spire-agent', audience: 'spire-server', expirationSeconds: 7200 });
    },
    mutations: [
      reconfigured('spire-agent', 'plugins.NodeAttestor.k8s_psat.plugin_data.token_path', '/run/token'),
      without(...AGENT, `${POD}.volumes.name=token`),
      changed(...AGENT, `${POD}.volumes.name=token.projected.sources.0.serviceAccountToken.path`, 'token'),
    ],
  },
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
  {
    id: 'spire-39',
    what: 'agents are in a privileged namespace of their own, so that the servers’ can be restricted',
    assert: (manifests) => {
      const { metadata } = manifests.get('Namespace', AGENT_NAMESPACE);
      equal(metadata.labels?.['pod-security.kubernetes.io/enforce'], 'privileged');
      notEqual(AGENT_NAMESPACE, NAMESPACE);
      for (const kind of ['DaemonSet']) {
        for (const found of manifests.of(kind)) equal(found.metadata.namespace, AGENT_NAMESPACE, found.metadata.name);
      }
    },
    mutations: [
      withoutManifest('Namespace', AGENT_NAMESPACE),
      without('Namespace', AGENT_NAMESPACE, ['metadata', 'labels', 'pod-security.kubernetes.io/enforce']),
      changed(...AGENT, 'metadata.namespace', NAMESPACE),
    ],
  },
];

/** Points 28, 31 and 32, which are off by default. */
export const OPTIONAL_AGENT_RULES: readonly Rule[] = [
  {
    id: 'spire-28, disk',
    what: 'a key on disk is on the node',
    assert: (manifests) => {
      const managers = at(configuration(manifests, 'spire-agent'), 'plugins.KeyManager');
      deepEqual(Object.keys(managers as object), ['disk']);
      ok(
        at(volumeAt(manifests.get(...AGENT), String(at(managers, 'disk.plugin_data.directory'))), 'hostPath'),
        'hostPath',
      );
    },
    mutations: [reconfigured('spire-agent', 'plugins.KeyManager.disk.plugin_data.directory', '/run/spire/bundle')],
  },
  {
    id: 'spire-26, self-signed kubelets',
    what: 'a kubelet that signs its own certificate is verified by that certificate, read from the node',
    assert: (manifests) => {
      const path = String(at(configuration(manifests, 'spire-agent'), `${KUBELET}.kubelet_ca_path`));
      deepEqual(at(volumeAt(manifests.get(...AGENT), path), 'hostPath'), {
        path: '/var/lib/kubelet/pki/kubelet.crt',
        type: 'File',
      });
    },
    mutations: [
      without(...AGENT, `${POD}.volumes.name=kubelet-certificate`),
      reconfigured('spire-agent', `${KUBELET}.kubelet_ca_path`, '/etc/kubelet.crt'),
    ],
  },
  {
    id: 'spire-31, unix',
    what: 'the attestor that looks at programs may, and gets nothing more',
    assert: (manifests) => {
      ok(at(configuration(manifests, 'spire-agent'), 'plugins.WorkloadAttestor.unix'), 'unix');
      deepEqual(manifests.at(...AGENT, `${CONTAINER}.securityContext.capabilities`), {
        drop: ['ALL'],
        add: ['SYS_PTRACE'],
      });
    },
    mutations: [
      reconfigured('spire-agent', 'plugins.WorkloadAttestor.unix', undefined),
      changed(...AGENT, `${CONTAINER}.securityContext.capabilities.add`, ['SYS_ADMIN']),
    ],
  },
  {
    id: 'spire-32',
    what: 'the size of the cache, Envoy’s names, delegates and the time to outlive a server reach the agent',
    assert: (manifests) => {
      const agent = agentOf(manifests);
      equal(at(agent, 'availability_target'), '24h');
      equal(at(agent, 'x509_svid_cache_max_size'), 500);
      deepEqual(at(agent, 'authorized_delegates'), ['spiffe://neural-hive.local/operator']);
      deepEqual(at(agent, 'sds'), {
        default_svid_name: 'default',
        default_bundle_name: 'ROOTCA',
        default_all_bundles_name: 'ALL',
      });
      deepEqual(at(agent, 'experimental'), { sync_interval: '10s' });
    },
    mutations: [
      reconfigured('spire-agent', 'agent.availability_target', undefined),
      reconfigured('spire-agent', 'agent.x509_svid_cache_max_size', undefined),
      reconfigured('spire-agent', 'agent.authorized_delegates', undefined),
      reconfigured('spire-agent', 'agent.sds', undefined),
      reconfigured('spire-agent', 'agent.experimental', undefined),
    ],
  },
];

/** Points 22 and 38 with agents in their nodes' network. */
export const HOST_NETWORK_RULES: readonly Rule[] = [
  {
    id: 'spire-22, host network',
    what: 'an agent in its node’s network asks the kubelet at home and finds the cluster’s names',
    assert: (manifests) => {
      equal(manifests.at(...AGENT, `${POD}.hostNetwork`), true);
      equal(manifests.at(...AGENT, `${POD}.dnsPolicy`), 'ClusterFirstWithHostNet');
      equal(at(configuration(manifests, 'spire-agent'), `${KUBELET}.node_name_env`), undefined);
    },
    mutations: [
      changed(...AGENT, `${POD}.dnsPolicy`, 'ClusterFirst'),
      reconfigured('spire-agent', `${KUBELET}.node_name_env`, 'MY_NODE_NAME'),
    ],
  },
];

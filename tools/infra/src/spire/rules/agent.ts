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
const KUBELET = 'plugins.WorkloadAttestor.k8s.plugin_data';

const agentOf = (manifests: Manifests): unknown => at(configuration(manifests, 'spire-agent'), 'agent');

/** Points 21 to 25 and 39, as production is installed. */
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
    id: 'spire-23, driver',
    what: 'the CSI driver gives the socket to pods of restricted namespaces, and is known to the kubelet',
    assert: (manifests) => {
      const driver = manifests.get('CSIDriver', 'csi.spiffe.io');
      equal(driver.metadata.labels?.['security.kubernetes.io/csi-ephemeral-volume-profile'], 'restricted');
      deepEqual(driver.spec, {
        attachRequired: false,
        podInfoOnMount: true,
        fsGroupPolicy: 'None',
        volumeLifecycleModes: ['Ephemeral'],
      });
      const daemon = manifests.get('DaemonSet', 'spire-csi-driver');
      const [, registrar] = listAt(daemon, `${POD}.containers`);
      const path = '-kubelet-registration-path=/var/lib/kubelet/plugins/csi.spiffe.io/csi.sock';
      ok(listAt(registrar, 'args').includes(path), 'registration path');
      equal(at(volumeAt(daemon, '/spiffe-csi'), 'hostPath.path'), '/var/lib/kubelet/plugins/csi.spiffe.io');
      equal(at(volumeAt(daemon, '/registration', 1), 'hostPath.path'), '/var/lib/kubelet/plugins_registry');
      equal(at(mountAt(daemon, '/var/lib/kubelet/pods'), 'mountPropagation'), 'Bidirectional');
      deepEqual(at(daemon, `${POD}.tolerations`), [{ operator: 'Exists' }]);
    },
    mutations: [
      without('CSIDriver', 'csi.spiffe.io', 'metadata.labels'),
      changed('CSIDriver', 'csi.spiffe.io', 'spec.volumeLifecycleModes', ['Persistent']),
      changed('DaemonSet', 'spire-csi-driver', `${POD}.containers.1.args`, []),
      without('DaemonSet', 'spire-csi-driver', `${POD}.tolerations`),
      changed('DaemonSet', 'spire-csi-driver', `${POD}.volumes.name=driver-socket.hostPath.path`, '/var/lib/csi'),
      without('DaemonSet', 'spire-csi-driver', `${POD}.containers.0.volumeMounts.name=pods.mountPropagation`),
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

import { deepEqual, equal, ok } from 'node:assert/strict';
import { at, type Manifests } from '../../manifests.ts';
import { changed, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, reconfigured } from '../configuration.ts';
import { POD, volumeAt } from './pods.ts';

const AGENT = ['DaemonSet', 'spire-agent'] as const;
const CONTAINER = `${POD}.containers.name=spire-agent`;
const KUBELET = 'plugins.WorkloadAttestor.k8s.plugin_data';

const agentOf = (manifests: Manifests): unknown => at(configuration(manifests, 'spire-agent'), 'agent');

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

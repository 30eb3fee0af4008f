import { deepEqual, equal, ok } from 'node:assert/strict';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { changed, type Mutation, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { type Endpoint, isAllowed } from '../policy-solver.ts';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';
import { selects, workloads } from './pods.ts';

const of = (component: string, namespace: string): Endpoint => ({
  name: component,
  namespace,
  labels: {
    'app.kubernetes.io/name': 'spire',
    'app.kubernetes.io/instance': 'spire',
    'app.kubernetes.io/component': component,
  },
});

const pod = (namespace: string): Endpoint => ({ name: `a pod of ${namespace}`, namespace, labels: { app: namespace } });

const ENDPOINTS = {
  server: of('server', NAMESPACE),
  agent: of('agent', AGENT_NAMESPACE),
  oidc: of('oidc', NAMESPACE),
  entries: of('entries', NAMESPACE),
  csi: of('csi-driver', AGENT_NAMESPACE),
  test: of('test', NAMESPACE),
  stranger: pod(AGENT_NAMESPACE),
  worker: pod('neural-hive-execution'),
  vault: pod('vault'),
  ingress: pod('ingress-nginx'),
  prometheus: pod('monitoring'),
  dns: pod('kube-system'),
  node: { name: 'a node', address: '10.0.1.10' },
  database: { name: 'the database', address: '10.0.81.9' },
  apiServer: { name: 'the API server', address: '172.20.0.1' },
  kms: { name: 'KMS', address: '10.0.97.1' },
  partner: { name: 'another trust domain', address: '192.0.2.7' },
  internet: { name: 'the internet', address: '203.0.113.7' },
} as const satisfies Record<string, Endpoint>;

type Name = keyof typeof ENDPOINTS;
type Row = readonly [from: Name, to: Name, port: number, allowed: boolean, protocol?: 'UDP'];

/** Who reaches whom, as production is installed. */
const PROD: readonly Row[] = [
  ['agent', 'server', 8081, true],
  ['agent', 'server', 8080, false],
  ['agent', 'server', 9988, false],
  ['stranger', 'server', 8081, false],
  ['worker', 'server', 8081, false],
  ['node', 'server', 8081, false],
  ['entries', 'server', 8081, false],
  ['internet', 'server', 8081, false],
  ['prometheus', 'server', 9988, true],
  ['prometheus', 'server', 8081, false],
  ['prometheus', 'agent', 9988, true],
  ['prometheus', 'agent', 9982, false],
  ['test', 'server', 8080, true],
  ['test', 'oidc', 8443, true],
  ['test', 'dns', 53, true, 'UDP'],
  ['test', 'apiServer', 443, false],
  ['server', 'dns', 53, true, 'UDP'],
  ['server', 'dns', 53, true],
  ['server', 'apiServer', 443, true],
  ['server', 'database', 5432, true],
  ['server', 'kms', 443, true],
  ['server', 'vault', 8200, false],
  ['server', 'internet', 443, false],
  ['server', 'node', 443, false],
  ['server', 'database', 22, false],
  ['agent', 'dns', 53, true, 'UDP'],
  ['agent', 'node', 10_250, true],
  ['agent', 'database', 5432, false],
  ['agent', 'internet', 443, false],
  ['ingress', 'oidc', 8443, true],
  ['vault', 'oidc', 8443, true],
  ['worker', 'oidc', 8443, false],
  ['oidc', 'dns', 53, false, 'UDP'],
  ['oidc', 'server', 8081, false],
  ['oidc', 'internet', 443, false],
  ['entries', 'apiServer', 443, true],
  ['entries', 'database', 5432, false],
  ['csi', 'apiServer', 443, false],
  ['stranger', 'csi', 9809, false],
];

const HOST_NETWORK: readonly Row[] = [
  ['node', 'server', 8081, true],
  ['internet', 'server', 8081, false],
  ['worker', 'server', 8081, false],
];

const FULL: readonly Row[] = [
  ['server', 'vault', 8200, true],
  ['server', 'vault', 22, false],
  ['partner', 'server', 8443, true],
  ['internet', 'server', 8443, false],
  ['server', 'internet', 8443, true],
  ['server', 'internet', 5432, false],
];

function judge(manifests: Manifests, rows: readonly Row[]): void {
  for (const [from, to, port, allowed, protocol = 'TCP'] of rows) {
    const what = `${from} → ${to} ${port}/${protocol}`;
    equal(isAllowed(manifests, ENDPOINTS[from], ENDPOINTS[to], { port, protocol }), allowed, what);
  }
}

/** Each rule of a policy taken away, one after the other. */
function eachRule(name: string, direction: 'ingress' | 'egress', count: number): Mutation[] {
  return Array.from({ length: count }, (_, index) => without('NetworkPolicy', name, `spec.${direction}.${index}`));
}

export const NETWORK_RULES: readonly Rule[] = [
  {
    id: 'spire-38',
    what: 'the policies let through what the committed table says, and nothing that it denies',
    assert: (manifests) => judge(manifests, PROD),
    mutations: [
      ...['spire-server', 'spire-agent', 'spire-oidc', 'spire-entries', 'spire-csi-driver', 'spire-test'].map((name) =>
        withoutManifest('NetworkPolicy', name),
      ),
      ...eachRule('spire-server', 'ingress', 3),
      ...eachRule('spire-server', 'egress', 4),
      ...eachRule('spire-agent', 'ingress', 1),
      ...eachRule('spire-agent', 'egress', 3),
      ...eachRule('spire-entries', 'egress', 1),
      ...eachRule('spire-test', 'egress', 3),
      ...[0, 1, 2].map((index) => without('NetworkPolicy', 'spire-oidc', `spec.ingress.0.from.${index}`)),
      without('NetworkPolicy', 'spire-server', 'spec.ingress.0.from.0.podSelector'),
      changed('NetworkPolicy', 'spire-server', 'spec.egress.0.ports', [{ protocol: 'TCP', port: 53 }]),
      changed('NetworkPolicy', 'spire-oidc', 'spec.egress', [{}]),
    ],
  },
  {
    id: 'spire-38, all pods',
    what: 'every pod that the chart makes is under one policy, which says both directions',
    assert: (manifests) => {
      const policies = manifests.of('NetworkPolicy');
      for (const policy of policies)
        deepEqual(at(policy, 'spec.policyTypes'), ['Ingress', 'Egress'], policy.metadata.name);
      for (const workload of workloads(manifests)) {
        const found = policies.filter(
          (policy) =>
            policy.metadata.namespace === workload.metadata.namespace &&
            selects(at(policy, 'spec.podSelector.matchLabels'), workload),
        );
        equal(found.length, 1, `${workload.kind} ${workload.metadata.name}`);
      }
      ok(listAt(policies[0], 'spec.policyTypes').length > 0);
    },
    mutations: [
      without('NetworkPolicy', 'spire-server', 'spec.policyTypes.1'),
      changed('NetworkPolicy', 'spire-agent', 'metadata.namespace', NAMESPACE),
      withoutManifest('NetworkPolicy', 'spire-test'),
    ],
  },
];

export const HOST_NETWORK_POLICY_RULES: readonly Rule[] = [
  {
    id: 'spire-38, host network',
    what: 'agents in their nodes’ network are let in by the nodes’ range, since no selector would match them',
    assert: (manifests) => {
      judge(manifests, HOST_NETWORK);
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

export const OPTIONAL_NETWORK_RULES: readonly Rule[] = [
  {
    id: 'spire-38, options',
    what: 'Vault is reached when it signs, partners reach the bundle endpoint, and the servers reach theirs',
    assert: (manifests) => judge(manifests, FULL),
    mutations: [
      ...eachRule('spire-server', 'ingress', 4).slice(3),
      // The first three are production's; the fifth, KMS, is within what federation opens.
      without('NetworkPolicy', 'spire-server', 'spec.egress.3'),
      without('NetworkPolicy', 'spire-server', 'spec.egress.5'),
      changed('NetworkPolicy', 'spire-server', 'spec.ingress.3.from', []),
    ],
  },
];

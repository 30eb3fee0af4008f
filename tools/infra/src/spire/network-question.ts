import { WORKLOADS } from '@neural-hive/contracts';
import type { AccessQuestion } from '../network/access-table.ts';
import type { Place } from '../network/network.ts';
import { AGENT_NAMESPACE, NAMESPACE } from './renderings.ts';

const own = (component: string, namespace: string): Place => ({
  namespace,
  labels: {
    'app.kubernetes.io/name': 'spire',
    'app.kubernetes.io/instance': 'spire',
    'app.kubernetes.io/component': component,
  },
});

const pod = (namespace: string, labels: Readonly<Record<string, string>> = {}): Place => ({ namespace, labels });

const OWN = {
  server: own('server', NAMESPACE),
  agent: own('agent', AGENT_NAMESPACE),
  oidc: own('oidc', NAMESPACE),
  entries: own('entries', NAMESPACE),
  'csi-driver': own('csi-driver', AGENT_NAMESPACE),
  test: own('test', NAMESPACE),
} as const;

/** One address in each of the ranges of values-prod.yaml and of the partners, and one in none. */
const ADDRESSES = {
  node: { ip: '10.0.1.10' },
  'API server': { ip: '172.20.0.1' },
  'API server, in the VPC': { ip: '10.0.64.10' },
  database: { ip: '10.0.80.10' },
  AWS: { ip: '10.0.96.10' },
  partner: { ip: '192.0.2.7' },
  'its bundle endpoint': { ip: '198.51.100.7' },
  world: { ip: '203.0.113.7' },
} as const;

const called = (
  place: Place,
  ...ports: readonly string[]
): { readonly place: Place; readonly ports: readonly string[] } => ({ place, ports });

/** Where agents are with `agent.hostNetwork`: at an address of their node, which no label matches. */
export const ON_A_NODE: Place = { ip: '10.0.1.11' };

/** Everybody who might call the pods of the chart, and whom they might call. */
export function spireQuestion(agent: Place = OWN.agent): AccessQuestion {
  const ours = { ...OWN, agent };
  return {
    callers: {
      ...ours,
      'another pod in spire': pod(NAMESPACE, { app: 'other' }),
      'another pod beside the agents': pod(AGENT_NAMESPACE, { app: 'other' }),
      'worker-agents': pod(WORKLOADS['worker-agents'].namespace, { 'app.kubernetes.io/name': 'worker-agents' }),
      vault: pod('vault', { 'app.kubernetes.io/name': 'vault' }),
      ingress: pod('ingress-nginx', { 'app.kubernetes.io/name': 'ingress-nginx' }),
      prometheus: pod('monitoring', { 'app.kubernetes.io/name': 'prometheus' }),
      node: ADDRESSES.node,
      partner: ADDRESSES.partner,
      world: ADDRESSES.world,
    },
    called: {
      server: called(OWN.server, '8081', '8080', '9988', '8443'),
      agent: called(agent, '9982', '9988'),
      oidc: called(OWN.oidc, '8443', '8008'),
      entries: called(OWN.entries, '443'),
      'csi-driver': called(OWN['csi-driver'], '9809'),
      test: called(OWN.test, '443'),
      'cluster DNS': called(pod('kube-system', { 'k8s-app': 'kube-dns' }), '53/UDP', '53/TCP'),
      'node-local DNS': called({ ip: '169.254.20.10' }, '53/UDP', '53/TCP'),
      vault: called(pod('vault', { 'app.kubernetes.io/name': 'vault' }), '8200'),
      node: called(ADDRESSES.node, '10250', '443'),
      'API server': called(ADDRESSES['API server'], '443', '6443'),
      'API server, in the VPC': called(ADDRESSES['API server, in the VPC'], '443', '6443'),
      database: called(ADDRESSES.database, '5432'),
      AWS: called(ADDRESSES.AWS, '443'),
      'its bundle endpoint': called(ADDRESSES['its bundle endpoint'], '443', '8443'),
      'instance metadata': called({ ip: '169.254.169.254' }, '80'),
      world: called(ADDRESSES.world, '443'),
    },
    ours: Object.keys(ours),
  };
}

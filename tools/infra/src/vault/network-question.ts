import { WORKLOADS } from '@neural-hive/contracts';
import type { AccessQuestion } from '../network/access-table.ts';
import type { Place } from '../network/network.ts';

const own = (component: string): Place => ({
  namespace: 'vault',
  labels: {
    'app.kubernetes.io/name': 'vault',
    'app.kubernetes.io/instance': 'vault',
    'app.kubernetes.io/component': component,
  },
});

const pod = (namespace: string, labels: Readonly<Record<string, string>> = {}): Place => ({ namespace, labels });

/** One address in each of the ranges of `installation.ts`, and some in none. */
const API_SERVERS = {
  'API server': { ip: '10.0.0.10' },
  'API server, zone b': { ip: '10.0.16.10' },
  'API server, zone c': { ip: '10.0.32.10' },
};
const AWS = { ip: '10.0.240.10' };
const NODE = { ip: '10.0.64.10' };
const WORLD = { ip: '203.0.113.7' };
const DATABASE = { ip: '10.0.200.5' };

const OWN = Object.fromEntries(
  ['server', 'injector', 'init', 'bootstrap', 'snapshot', 'test'].map((name) => [name, own(name)]),
);

/** Everybody who might call somebody in the namespace of Vault, and whom its pods might call. */
export const VAULT_QUESTION: AccessQuestion = {
  callers: {
    ...OWN,
    ...Object.fromEntries(
      Object.entries(WORKLOADS).map(([name, { namespace }]) => [
        name,
        pod(namespace, { 'app.kubernetes.io/name': name }),
      ]),
    ),
    prometheus: pod('monitoring', { 'app.kubernetes.io/name': 'prometheus' }),
    grafana: pod('monitoring', { 'app.kubernetes.io/name': 'grafana' }),
    'spire-server': pod('spire', { 'app.kubernetes.io/name': 'spire', 'app.kubernetes.io/component': 'server' }),
    'spire-agent (host network)': NODE,
    'another pod in vault': pod('vault', { app: 'other' }),
    'a pod in default': pod('default'),
    ...API_SERVERS,
    world: WORLD,
  },
  called: {
    server: { place: own('server'), ports: ['8200', '8201', '8202', '8203'] },
    'other server': { place: own('server'), ports: ['8200', '8201', '8202'] },
    injector: { place: own('injector'), ports: ['8080'] },
    init: { place: own('init'), ports: ['8200'] },
    bootstrap: { place: own('bootstrap'), ports: ['8200'] },
    snapshot: { place: own('snapshot'), ports: ['8200'] },
    test: { place: own('test'), ports: ['8200'] },
    'cluster DNS': { place: pod('kube-system', { 'k8s-app': 'kube-dns' }), ports: ['53/UDP', '53/TCP'] },
    'node-local DNS': { place: { ip: '169.254.20.10' }, ports: ['53/UDP', '53/TCP'] },
    ...Object.fromEntries(
      Object.entries(API_SERVERS).map(([name, place]) => [name, { place, ports: ['443', '6443'] }]),
    ),
    AWS: { place: AWS, ports: ['443'] },
    database: { place: DATABASE, ports: ['5432'] },
    'SPIRE OIDC': {
      place: pod('spire', { 'app.kubernetes.io/name': 'spire', 'app.kubernetes.io/component': 'oidc' }),
      ports: ['8443'],
    },
    'instance metadata': { place: { ip: '169.254.169.254' }, ports: ['80'] },
    world: { place: WORLD, ports: ['443'] },
  },
  ours: [...Object.keys(OWN), 'other server'],
};

import { deepEqual, equal, ok } from 'node:assert/strict';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import { policiesWithoutTypes } from '../../network/access-check.ts';
import { Network, type Place } from '../../network/network.ts';
import type { Rule } from '../../rule.ts';
import { VAULT_QUESTION } from '../network-question.ts';
import { POD, podSpecs } from '../server-pod.ts';

function placeOf(name: string): Place {
  const place = VAULT_QUESTION.callers[name] ?? VAULT_QUESTION.called[name]?.place;
  ok(place !== undefined, `nobody is called ${name}`);
  return place;
}

function assertReaches(manifests: Manifests, from: string, to: string, port: number, wanted = true): void {
  const found = new Network(manifests.of('NetworkPolicy')).allows({ from: placeOf(from), to: placeOf(to), port });
  equal(found, wanted, `${from} → ${to}:${port} is ${found ? 'allowed' : 'refused'}`);
}

const CLIENTS = ['orchestrator-dynamic', 'worker-agents', 'service-registry'];
const JOBS = ['init', 'bootstrap', 'snapshot', 'test'];

/** Points 38 to 40. The whole table of who reaches whom is judged apart, see access-check.ts. */
export const NETWORK_RULES: readonly Rule[] = [
  {
    id: 'vault-38',
    what: 'clients, Jobs and peers reach the servers and nobody else does; the servers reach their peers, DNS, the API server and AWS',
    assert: (manifests) => {
      deepEqual(policiesWithoutTypes(manifests), []);
      deepEqual(manifests.at('NetworkPolicy', 'vault-server', 'spec.policyTypes'), ['Ingress', 'Egress']);
      for (const client of [...CLIENTS, ...JOBS, 'injector']) assertReaches(manifests, client, 'server', 8200);
      assertReaches(manifests, 'prometheus', 'server', 8202);
      for (const port of [8200, 8201]) assertReaches(manifests, 'server', 'other server', port);
      assertReaches(manifests, 'server', 'API server', 443);
      assertReaches(manifests, 'server', 'AWS', 443);
      for (const stranger of ['a pod in default', 'another pod in vault', 'world', 'spire-server']) {
        for (const port of [8200, 8201, 8202]) assertReaches(manifests, stranger, 'server', port, false);
      }
      for (const client of CLIENTS) assertReaches(manifests, client, 'server', 8201, false);
      assertReaches(manifests, 'server', 'instance metadata', 80, false);
    },
    mutations: [
      withoutManifest('NetworkPolicy', 'vault-server'),
      without('NetworkPolicy', 'vault-server', 'spec.policyTypes'),
      changed('NetworkPolicy', 'vault-server', 'spec.policyTypes', ['Ingress']),
      without('NetworkPolicy', 'vault-server', 'spec.ingress.0'),
      without('NetworkPolicy', 'vault-server', 'spec.ingress.1.ports.0'),
      without('NetworkPolicy', 'vault-server', 'spec.ingress.2'),
      without('NetworkPolicy', 'vault-server', 'spec.ingress.3'),
      changed('NetworkPolicy', 'vault-server', 'spec.ingress.0.from', []),
      without('NetworkPolicy', 'vault-server', 'spec.egress.1'),
      without('NetworkPolicy', 'vault-server', 'spec.egress.2'),
      without('NetworkPolicy', 'vault-server', 'spec.egress.3'),
    ],
  },
  {
    id: 'vault-39',
    what: 'the API server reaches the injector by its addresses, and every pod of the chart has a policy in both directions',
    assert: (manifests) => {
      assertReaches(manifests, 'API server', 'injector', 8080);
      assertReaches(manifests, 'world', 'injector', 8080, false);
      assertReaches(manifests, 'orchestrator-dynamic', 'injector', 8080, false);
      assertReaches(manifests, 'injector', 'API server', 443);
      for (const job of JOBS) {
        assertReaches(manifests, job, 'world', 443, false);
        assertReaches(manifests, 'another pod in vault', job, 8200, false);
      }
      for (const job of ['init', 'snapshot']) assertReaches(manifests, job, 'AWS', 443);
      for (const job of ['bootstrap', 'test']) assertReaches(manifests, job, 'AWS', 443, false);
      for (const { owner } of podSpecs(manifests)) {
        const component = owner.metadata.labels?.['app.kubernetes.io/component'];
        const selecting = manifests
          .of('NetworkPolicy')
          .filter(
            (policy) => at(policy, ['spec', 'podSelector', 'matchLabels', 'app.kubernetes.io/component']) === component,
          );
        equal(selecting.length, 1, `${owner.kind} ${owner.metadata.name}`);
      }
    },
    mutations: [
      without('NetworkPolicy', 'vault-injector', 'spec.ingress.0'),
      changed('NetworkPolicy', 'vault-injector', 'spec.ingress.0.from', [{ namespaceSelector: {} }]),
      without('NetworkPolicy', 'vault-injector', 'spec.egress.2'),
      ...['vault-init', 'vault-bootstrap', 'vault-snapshot', 'vault-test'].map((name) =>
        withoutManifest('NetworkPolicy', name),
      ),
      without('NetworkPolicy', 'vault-snapshot', 'spec.egress.2'),
      changed('NetworkPolicy', 'vault-init', 'spec.egress', [{}]),
    ],
  },
  {
    id: 'vault-40',
    what: 'the servers label their own pods and review tokens, and no right in the cluster is a wildcard',
    assert: (manifests) => {
      deepEqual(manifests.at('Role', 'vault-service-registration', 'rules'), [
        {
          apiGroups: [''],
          resources: ['pods'],
          resourceNames: ['vault-0', 'vault-1', 'vault-2'],
          verbs: ['get', 'update', 'patch'],
        },
      ]);
      const server = [{ kind: 'ServiceAccount', name: 'vault-server', namespace: 'vault' }];
      deepEqual(manifests.at('RoleBinding', 'vault-service-registration', 'subjects'), server);
      const delegator = manifests.get('ClusterRoleBinding', 'vault-vault-auth-delegator');
      equal(at(delegator, 'roleRef.name'), 'system:auth-delegator');
      deepEqual(at(delegator, 'subjects'), server);
      for (const role of [...manifests.of('Role'), ...manifests.of('ClusterRole')]) {
        for (const rule of listAt(role, 'rules')) ok(!JSON.stringify(rule).includes('"*"'), role.metadata.name);
      }
      const cluster = manifests.of('ClusterRoleBinding').map(({ metadata }) => metadata.name);
      deepEqual(cluster.sort(), ['vault-vault-auth-delegator', 'vault-vault-injector']);
    },
    mutations: [
      withoutManifest('Role', 'vault-service-registration'),
      without('Role', 'vault-service-registration', 'rules.0.resourceNames'),
      changed('Role', 'vault-service-registration', 'rules.0.verbs', ['*']),
      withoutManifest('RoleBinding', 'vault-service-registration'),
      withoutManifest('ClusterRoleBinding', 'vault-vault-auth-delegator'),
      changed('ClusterRoleBinding', 'vault-vault-auth-delegator', 'roleRef.name', 'cluster-admin'),
      changed('ClusterRole', 'vault-vault-injector', 'rules.0.resources', ['*']),
    ],
  },
  {
    id: 'vault-37',
    what: 'a client’s pod needs nothing but annotations: agents come restricted, know Vault’s authority and reach it',
    assert: (manifests) => {
      const container = manifests.at('Deployment', 'vault-injector', `${POD}.containers.name=injector`);
      const variable = (name: string): unknown => at(container, `env.name=${name}`);
      equal(at(variable('AGENT_INJECT_SET_SECURITY_CONTEXT'), 'value'), 'true');
      ok(at(variable('AGENT_INJECT_VAULT_CACERT_BYTES'), 'valueFrom.secretKeyRef.name') !== undefined, 'no authority');
      const webhook = manifests.get('MutatingWebhookConfiguration', 'vault-vault-injector');
      const namespaces = listAt(webhook, 'webhooks.0.namespaceSelector.matchExpressions.0.values');
      for (const client of CLIENTS) {
        const place = placeOf(client);
        ok('namespace' in place && namespaces.includes(place.namespace), `${client} gets no agent`);
        assertReaches(manifests, client, 'server', 8200);
      }
    },
    mutations: [
      without(
        'Deployment',
        'vault-injector',
        `${POD}.containers.name=injector.env.name=AGENT_INJECT_SET_SECURITY_CONTEXT`,
      ),
      without(
        'Deployment',
        'vault-injector',
        `${POD}.containers.name=injector.env.name=AGENT_INJECT_VAULT_CACERT_BYTES`,
      ),
      without(
        'MutatingWebhookConfiguration',
        'vault-vault-injector',
        'webhooks.0.namespaceSelector.matchExpressions.0.values.2',
      ),
      without('NetworkPolicy', 'vault-server', 'spec.ingress.0.from.1'),
    ],
  },
];

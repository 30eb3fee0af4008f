import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { WORKLOADS } from '@neural-hive/contracts';
import { at, listAt, type Manifests, under } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { environment, POD } from '../server-pod.ts';

const NAME = 'vault-injector';
const WEBHOOK = 'vault-vault-injector';
const CONTAINER = `${POD}.containers.name=injector`;
const INJECT_CA = under('metadata.annotations', 'cert-manager.io/inject-ca-from');
const CLIENTS = Object.values(WORKLOADS).map(({ namespace }) => namespace);

const of = (manifests: Manifests, path: string): unknown => manifests.at('Deployment', NAME, path);
const hook = (manifests: Manifests, path: string): unknown =>
  manifests.at('MutatingWebhookConfiguration', WEBHOOK, `webhooks.0.${path}`);
const changedHook = (path: string, to: unknown) =>
  changed('MutatingWebhookConfiguration', WEBHOOK, `webhooks.0.${path}`, to);
const withoutEnv = (name: string) => without('Deployment', NAME, `${CONTAINER}.env.name=${name}`);

/** Points 33 to 36, with the certificate from cert-manager. */
export const INJECTOR_RULES: readonly Rule[] = [
  {
    id: 'vault-33',
    what: 'two injectors apart, with an account of their own and a certificate that cert-manager issues and trusts',
    assert: (manifests) => {
      equal(of(manifests, 'spec.replicas'), 2);
      equal(of(manifests, `${POD}.serviceAccountName`), NAME);
      const required = `${POD}.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution.0.topologyKey`;
      equal(of(manifests, required), 'kubernetes.io/hostname');
      equal(manifests.at('PodDisruptionBudget', NAME, 'spec.maxUnavailable'), 1);
      const annotation = manifests.at('MutatingWebhookConfiguration', WEBHOOK, INJECT_CA);
      equal(annotation, `vault/${NAME}-tls`);
      equal(hook(manifests, 'clientConfig.caBundle'), undefined, 'caBundle would be fought over');
      const certificate = manifests.get('Certificate', `${NAME}-tls`);
      ok(listAt(certificate, 'spec.dnsNames').includes(`${NAME}.vault.svc`), 'name of the service');
      ok(manifests.find('Issuer', String(at(certificate, 'spec.issuerRef.name'))) !== undefined, 'no such issuer');
      const secret = at(certificate, 'spec.secretName');
      equal(of(manifests, `${POD}.volumes.name=tls.secret.secretName`), secret);
      const folder = of(manifests, `${CONTAINER}.volumeMounts.name=tls.mountPath`);
      equal(environment(of(manifests, CONTAINER)).AGENT_INJECT_TLS_CERT_FILE, `${String(folder)}/tls.crt`);
      equal(manifests.find('Role', `${NAME}-leader`), undefined, 'nothing is elected when nothing is made');
    },
    mutations: [
      changed('Deployment', NAME, 'spec.replicas', 1),
      changed('Deployment', NAME, `${POD}.serviceAccountName`, 'vault-server'),
      without('Deployment', NAME, `${POD}.affinity`),
      withoutManifest('PodDisruptionBudget', NAME),
      without('MutatingWebhookConfiguration', WEBHOOK, INJECT_CA),
      changedHook('clientConfig.caBundle', ''),
      withoutManifest('Certificate', `${NAME}-tls`),
      withoutManifest('Issuer', NAME),
      without('Deployment', NAME, `${POD}.volumes.name=tls`),
      withoutEnv('AGENT_INJECT_TLS_CERT_FILE'),
    ],
  },
  {
    id: 'vault-34',
    what: 'the webhook sees pods of the client namespaces only, never its own, and says how it fails',
    assert: (manifests) => {
      equal(hook(manifests, 'failurePolicy'), 'Fail');
      deepEqual(hook(manifests, 'namespaceSelector'), {
        matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: CLIENTS }],
      });
      deepEqual(hook(manifests, 'objectSelector.matchExpressions.0'), {
        key: 'app.kubernetes.io/name',
        operator: 'NotIn',
        values: ['vault'],
      });
      ok(Number(hook(manifests, 'timeoutSeconds')) <= 10, 'timeoutSeconds');
      equal(hook(manifests, 'sideEffects'), 'None');
      deepEqual(hook(manifests, 'admissionReviewVersions'), ['v1']);
      equal(hook(manifests, 'reinvocationPolicy'), 'Never');
      equal(hook(manifests, 'matchPolicy'), 'Equivalent');
      deepEqual(hook(manifests, 'rules'), [
        { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: 'Namespaced' },
      ]);
      equal(hook(manifests, 'clientConfig.service.name'), NAME);
      equal(manifests.at('Service', NAME, 'spec.ports.0.port'), hook(manifests, 'clientConfig.service.port'));
    },
    mutations: [
      changedHook('failurePolicy', 'Ignore'),
      changedHook('namespaceSelector', {}),
      changedHook('namespaceSelector.matchExpressions.0.values', [...CLIENTS, 'kube-system']),
      changedHook('objectSelector', {}),
      changedHook('timeoutSeconds', 30),
      without('MutatingWebhookConfiguration', WEBHOOK, 'webhooks.0.reinvocationPolicy'),
      without('MutatingWebhookConfiguration', WEBHOOK, 'webhooks.0.matchPolicy'),
      changedHook('admissionReviewVersions', ['v1beta1']),
      changedHook('rules.0.operations', ['CREATE', 'UPDATE']),
      changed('Service', NAME, 'spec.ports.0.port', 8443),
    ],
  },
  {
    id: 'vault-35',
    what: 'with a certificate that is given the injector may read webhooks and change nothing in the cluster',
    assert: (manifests) => {
      deepEqual(manifests.at('ClusterRole', WEBHOOK, 'rules'), [
        {
          apiGroups: ['admissionregistration.k8s.io'],
          resources: ['mutatingwebhookconfigurations'],
          verbs: ['get', 'list', 'watch'],
        },
      ]);
      deepEqual(manifests.at('ClusterRoleBinding', WEBHOOK, 'subjects'), [
        { kind: 'ServiceAccount', name: NAME, namespace: 'vault' },
      ]);
      equal(manifests.at('ClusterRoleBinding', WEBHOOK, 'roleRef.name'), WEBHOOK);
    },
    mutations: [
      withoutManifest('ClusterRole', WEBHOOK),
      changed('ClusterRole', WEBHOOK, 'rules.0.verbs', ['*']),
      changed('ClusterRoleBinding', WEBHOOK, 'subjects.0.name', 'vault-server'),
      changed('ClusterRoleBinding', WEBHOOK, 'roleRef.name', 'cluster-admin'),
    ],
  },
  {
    id: 'vault-36',
    what: 'injected agents call the service over TLS they verify, in an image that is pinned, with limits',
    assert: (manifests) => {
      const variables = environment(of(manifests, CONTAINER));
      equal(variables.AGENT_INJECT_VAULT_ADDR, 'https://vault.vault.svc.cluster.local:8200');
      equal(variables.AGENT_INJECT_VAULT_AUTH_PATH, 'auth/kubernetes');
      match(String(variables.AGENT_INJECT_VAULT_IMAGE), /^[a-z/]+:\d+\.\d+\.\d+/);
      deepEqual(of(manifests, `${CONTAINER}.env.name=AGENT_INJECT_VAULT_CACERT_BYTES.valueFrom.secretKeyRef`), {
        name: 'vault-tls',
        key: 'ca.crt',
      });
      for (const kind of ['CPU_REQUEST', 'MEM_REQUEST', 'CPU_LIMIT', 'MEM_LIMIT']) {
        ok(variables[`AGENT_INJECT_${kind}`] !== undefined, kind);
      }
      equal(variables.AGENT_INJECT_SET_SECURITY_CONTEXT, 'true');
      equal(variables.AGENT_INJECT_RUN_AS_SAME_USER, 'false');
      equal(variables.AGENT_INJECT_REVOKE_ON_SHUTDOWN, 'true');
      equal(variables.AGENT_INJECT_TLS_AUTO, undefined);
    },
    mutations: [
      changed('Deployment', NAME, `${CONTAINER}.env.name=AGENT_INJECT_VAULT_ADDR.value`, 'http://vault.vault.svc:8200'),
      withoutEnv('AGENT_INJECT_VAULT_AUTH_PATH'),
      changed('Deployment', NAME, `${CONTAINER}.env.name=AGENT_INJECT_VAULT_IMAGE.value`, 'hashicorp/vault:latest'),
      withoutEnv('AGENT_INJECT_VAULT_CACERT_BYTES'),
      withoutEnv('AGENT_INJECT_MEM_LIMIT'),
      withoutEnv('AGENT_INJECT_SET_SECURITY_CONTEXT'),
      withoutEnv('AGENT_INJECT_REVOKE_ON_SHUTDOWN'),
    ],
  },
];

/** With a certificate that the injectors make themselves. */
export const AUTO_TLS_RULES: readonly Rule[] = [
  {
    id: 'vault-35-auto',
    what: 'an injector that makes its certificate may patch this webhook and elect a leader in its namespace, and no more',
    assert: (manifests) => {
      const rules = listAt(manifests.get('ClusterRole', WEBHOOK), 'rules');
      deepEqual(rules[1], {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations'],
        resourceNames: [WEBHOOK],
        verbs: ['patch'],
      });
      equal(rules.length, 2);
      equal(manifests.at('Role', `${NAME}-leader`, 'metadata.namespace'), 'vault');
      ok(!/"\*"/.test(JSON.stringify(manifests.at('Role', `${NAME}-leader`, 'rules'))), 'a wildcard');
      const variables = environment(of(manifests, CONTAINER));
      equal(variables.AGENT_INJECT_TLS_AUTO, WEBHOOK);
      match(String(variables.AGENT_INJECT_TLS_AUTO_HOSTS), /vault-injector\.vault\.svc/);
      equal(variables.AGENT_INJECT_USE_LEADER_ELECTOR, 'true');
      equal(variables.AGENT_INJECT_TLS_CERT_FILE, undefined);
      equal(manifests.at('MutatingWebhookConfiguration', WEBHOOK, INJECT_CA), undefined);
    },
    mutations: [
      without('ClusterRole', WEBHOOK, 'rules.1.resourceNames'),
      without('ClusterRole', WEBHOOK, 'rules.1'),
      withoutManifest('Role', `${NAME}-leader`),
      changed('Role', `${NAME}-leader`, 'rules.0.verbs', ['*']),
      withoutEnv('AGENT_INJECT_USE_LEADER_ELECTOR'),
      changed('Deployment', NAME, `${CONTAINER}.env.name=AGENT_INJECT_TLS_AUTO.value`, 'other'),
    ],
  },
];

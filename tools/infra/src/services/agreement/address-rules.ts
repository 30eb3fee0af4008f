import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { at, listAt, type Manifests } from '../../manifests.ts';
import { changed, rewritten, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CONTAINER, environmentOf } from '../pods.ts';
import { SERVICE_NAMES } from '../service-charts.ts';

const CALLING = ['orchestrator-dynamic', 'worker-agents'] as const;

/** The service at a name such as `vault.vault.svc.cluster.local`, and its port. */
function reached(manifests: Manifests, host: string, port: number): void {
  const [name = '', namespace] = host.split('.');
  match(host, /\.svc\.cluster\.local$/);
  const service = manifests.get('Service', name);
  equal(service.metadata.namespace, namespace, host);
  ok(
    listAt(service, 'spec.ports').some((one) => at(one, 'port') === port),
    `${host} has no port ${port}`,
  );
}

export const ADDRESS_RULES: readonly Rule[] = [
  {
    id: 'agree-registry-address',
    what: 'the address of the registry is that of its service and the port it listens on',
    assert: (manifests) => {
      for (const name of CALLING) {
        const environment = environmentOf(manifests.at('Deployment', name, CONTAINER));
        reached(manifests, environment.SERVICE_REGISTRY_HOST ?? '', Number(environment.SERVICE_REGISTRY_PORT));
      }
      const registry = environmentOf(manifests.at('Deployment', 'service-registry', CONTAINER));
      equal(manifests.at('Service', 'service-registry', 'spec.ports.name=grpc.port'), Number(registry.GRPC_PORT));
    },
    mutations: [
      changed('Service', 'service-registry', 'spec.ports.name=grpc.port', 50_052),
      changed('Service', 'service-registry', 'metadata.namespace', 'default'),
      changed('Deployment', 'worker-agents', `${CONTAINER}.env.name=SERVICE_REGISTRY_PORT.value`, '50052'),
      changed('Deployment', 'service-registry', `${CONTAINER}.env.name=GRPC_PORT.value`, '50052'),
    ],
  },
  {
    id: 'agree-vault-address',
    what: 'the address of Vault is that of its service, and its certificate has the name',
    assert: (manifests) => {
      for (const name of CALLING) {
        const { VAULT_ADDRESS = '' } = environmentOf(manifests.at('Deployment', name, CONTAINER));
        const { hostname, port } = new URL(VAULT_ADDRESS);
        reached(manifests, hostname, Number(port));
        const names = listAt(manifests.get('Certificate', 'vault-tls'), 'spec.dnsNames');
        ok(names.includes(hostname), `the certificate has ${names}`);
      }
    },
    mutations: [
      changed('Service', 'vault', 'metadata.namespace', 'default'),
      changed(
        'Deployment',
        'worker-agents',
        `${CONTAINER}.env.name=VAULT_ADDRESS.value`,
        'https://vault.vault.svc.cluster.local:8300',
      ),
      changed('Certificate', 'vault-tls', 'spec.dnsNames', ['vault']),
    ],
  },
  {
    id: 'agree-vault-clients',
    what: 'Vault lets in the namespaces of the services, and injects agents there',
    assert: (manifests) => {
      const policy = manifests.get('NetworkPolicy', 'vault-server');
      const from = listAt(policy, 'spec.ingress').flatMap((rule) => listAt(rule, 'from'));
      const allowed = from.map((peer) => at(peer, ['namespaceSelector', 'matchLabels', 'kubernetes.io/metadata.name']));
      const webhook = manifests.of('MutatingWebhookConfiguration').flatMap((one) => listAt(one, 'webhooks'));
      const injected = webhook.flatMap((one) =>
        listAt(one, 'namespaceSelector.matchExpressions').flatMap((expression) => listAt(expression, 'values')),
      );
      for (const name of SERVICE_NAMES) {
        const { namespace } = manifests.get('Deployment', name).metadata;
        ok(allowed.includes(namespace), `${namespace} may not call Vault`);
        ok(injected.includes(namespace), `no agents are injected in ${namespace}`);
      }
    },
    mutations: [
      without('NetworkPolicy', 'vault-server', 'spec.ingress.0.from.0'),
      changed('Deployment', 'worker-agents', 'metadata.namespace', 'default'),
    ],
  },
  {
    id: 'agree-vault-pods',
    what: 'the services’ policies let them reach the pods that Vault’s chart makes, on the port it listens on',
    assert: (manifests) => {
      const pods = manifests.at('StatefulSet', 'vault', 'spec.template.metadata.labels') as Record<string, string>;
      for (const name of CALLING) {
        const { VAULT_ADDRESS = '' } = environmentOf(manifests.at('Deployment', name, CONTAINER));
        const rules = listAt(manifests.get('NetworkPolicy', name), 'spec.egress').filter((rule) =>
          listAt(rule, 'ports').some((port) => String(at(port, 'port')) === new URL(VAULT_ADDRESS).port),
        );
        const peers = rules.flatMap((rule) => listAt(rule, 'to'));
        const labels = peers.map((peer) => at(peer, 'podSelector.matchLabels') as Record<string, string>);
        ok(
          labels.some((wanted) => Object.entries(wanted).every(([label, value]) => pods[label] === value)),
          `${name} may not reach Vault's pods`,
        );
      }
    },
    mutations: [
      changed('StatefulSet', 'vault', 'spec.template.metadata.labels', { app: 'vault' }),
      changed('NetworkPolicy', 'worker-agents', 'spec.egress', []),
    ],
  },
  {
    id: 'agree-aws-roles',
    what: 'the service accounts that Terraform makes roles for are those of Vault’s chart, in its namespace',
    assert: (manifests) => {
      const accounts = listAt(manifests.get('Terraform', 'terraform'), 'serviceAccounts').map(String);
      const roles = manifests
        .of('ServiceAccount')
        .filter(({ metadata }) => metadata.annotations?.['eks.amazonaws.com/role-arn'] !== undefined)
        .filter(({ metadata }) => metadata.namespace === manifests.at('Terraform', 'terraform', 'namespace'));
      deepEqual(roles.map(({ metadata }) => metadata.name).sort(), [...accounts].sort());
    },
    mutations: [
      changed('Terraform', 'terraform', 'serviceAccounts', ['vault']),
      changed('Terraform', 'terraform', 'namespace', 'default'),
      changed('ServiceAccount', 'vault-init', 'metadata.name', 'vault-setup'),
    ],
  },
  {
    id: 'agree-terraform-outputs',
    what: 'every output of Terraform that a text takes exists',
    assert: (manifests) => {
      const outputs = listAt(manifests.get('Terraform', 'terraform'), 'outputs');
      const taken = manifests
        .of('Text')
        .flatMap(({ text }) => [...String(text).matchAll(/(?:terraform(?:'s)? output (?:-raw )?|\$\(tf )(vault_\w+)/g)])
        .map(([, name]) => name);
      ok(taken.length >= 5, `only ${taken.length} are taken`);
      for (const name of taken) ok(outputs.includes(name), `there is no output ${name}`);
    },
    mutations: [
      changed('Terraform', 'terraform', 'outputs', []),
      rewritten('Text', 'docs/guides/deploy-on-eks.md', 'text', /vault_kms_key_id/, 'vault_key'),
    ],
  },
];

import { deepEqual, equal } from 'node:assert/strict';
import { AUDIENCES } from '@neural-hive/contracts';
import { at, type Manifest, under } from '../../manifests.ts';
import type { Rule } from '../../rule.ts';
import { restrictedProblems } from '../pod-security.ts';
import { CONTAINER, environmentOf, ofDeployment, POD } from '../pods.ts';
import type { ServiceName } from '../service-charts.ts';

const ANNOTATIONS = 'spec.template.metadata.annotations';
const injector = (name: string): string => `vault.hashicorp.com/${name}`;

/** The mission's annotations, word for word. */
export const INJECTED: Readonly<Record<ServiceName, Readonly<Record<string, string>>>> = {
  'orchestrator-dynamic': {
    'vault.hashicorp.com/agent-inject': 'true',
    'vault.hashicorp.com/role': 'orchestrator-dynamic',
    'vault.hashicorp.com/agent-inject-secret-mongodb': 'secret/data/orchestrator/mongodb',
    'vault.hashicorp.com/agent-inject-secret-postgres': 'database/creds/temporal-orchestrator',
    'vault.hashicorp.com/agent-inject-secret-kafka': 'secret/data/orchestrator/kafka',
  },
  // Not in the mission: the registry's store came later.
  'service-registry': {
    'vault.hashicorp.com/agent-inject': 'true',
    'vault.hashicorp.com/role': 'service-registry',
    'vault.hashicorp.com/agent-inject-secret-redis': 'database/creds/registry-redis',
  },
  'worker-agents': {
    'vault.hashicorp.com/agent-inject': 'true',
    'vault.hashicorp.com/role': 'worker-agents',
    'vault.hashicorp.com/agent-inject-secret-kafka': 'secret/data/worker/kafka',
    'vault.hashicorp.com/agent-inject-secret-execution': 'secret/data/worker/execution',
  },
};

/** With vault.mode=agent. */
export function agentRules(name: ServiceName): readonly Rule[] {
  const pod = ofDeployment(name);
  const wanted = INJECTED[name];
  const secrets = Object.keys(wanted).filter((key) => key.includes('agent-inject-secret-'));
  const annotations = (manifest: Manifest): Readonly<Record<string, string>> =>
    (at(manifest, ANNOTATIONS) ?? {}) as Readonly<Record<string, string>>;
  return [
    {
      id: `${name}-agent`,
      what: 'the injector gets the mission’s annotations, and a template for each of the secrets',
      assert: (manifests) => {
        const found = annotations(manifests.get('Deployment', name));
        for (const [key, value] of Object.entries(wanted)) equal(found[key], value, key);
        const given = Object.keys(found).filter((key) => key.includes('agent-inject-secret-'));
        deepEqual(given.sort(), [...secrets].sort());
        for (const key of secrets) {
          const path = found[key] ?? '';
          const fields = path.startsWith('secret/data/') ? '.Data.data' : '.Data';
          const template = found[key.replace('-secret-', '-template-')];
          equal(template, `{{- with secret "${path}" -}}{{ ${fields} | toJSON }}{{- end -}}`, key);
        }
      },
      mutations: [
        ...Object.keys(wanted).map((key) => pod.without(under(ANNOTATIONS, key))),
        ...secrets.map((key) => pod.without(under(ANNOTATIONS, key.replace('-secret-', '-template-')))),
        pod.changed(under(ANNOTATIONS, secrets[0] ?? ''), 'secret/data/everything'),
      ],
    },
    {
      id: `${name}-agent-login`,
      what: 'the injected agent logs in with the token that Vault takes, before the process starts',
      assert: (manifests) => {
        const found = annotations(manifests.get('Deployment', name));
        const volume = found[injector('agent-service-account-token-volume-name')];
        const token = manifests.at('Deployment', name, `${POD}.volumes.name=${volume}.projected.sources.0`);
        equal(at(token, 'serviceAccountToken.audience'), AUDIENCES.vault);
        equal(found[injector('auth-path')], 'auth/kubernetes');
        equal(found[injector('agent-init-first')], 'true');
        const environment = environmentOf(manifests.at('Deployment', name, CONTAINER));
        equal(environment.VAULT_AGENT_SECRETS_PATH, '/vault/secrets');
        equal(environment.VAULT_AUTH_METHOD, 'kubernetes');
      },
      mutations: [
        pod.without(under(ANNOTATIONS, injector('agent-service-account-token-volume-name'))),
        pod.changed(`${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`, 'other'),
        pod.without(under(ANNOTATIONS, injector('auth-path'))),
        pod.without(`${CONTAINER}.env.name=VAULT_AGENT_SECRETS_PATH`),
      ],
    },
  ];
}

/** With spire.socket=hostPath. */
export function hostPathRules(name: ServiceName): readonly Rule[] {
  const pod = ofDeployment(name);
  return [
    {
      id: `${name}-host-path`,
      what: 'the socket’s folder is the mission’s mount, and the only thing a restricted namespace would refuse',
      assert: (manifests) => {
        deepEqual(manifests.at('Deployment', name, `${POD}.volumes.name=spire-agent-socket`), {
          ...{ name: 'spire-agent-socket', hostPath: { path: '/run/spire/sockets', type: 'Directory' } },
        });
        deepEqual(manifests.at('Deployment', name, `${CONTAINER}.volumeMounts.name=spire-agent-socket`), {
          ...{ name: 'spire-agent-socket', mountPath: '/run/spire/sockets', readOnly: true },
        });
        deepEqual(restrictedProblems(manifests.at('Deployment', name, POD)), ['a volume of kind hostPath']);
      },
      mutations: [
        pod.changed(`${POD}.volumes.name=spire-agent-socket.hostPath.type`, 'DirectoryOrCreate'),
        pod.changed(`${CONTAINER}.volumeMounts.name=spire-agent-socket.readOnly`, false),
        pod.changed(`${POD}.hostPID`, true),
      ],
    },
  ];
}

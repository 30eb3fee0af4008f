import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { AUDIENCES } from '@neural-hive/contracts';
import { at, listAt, type Manifest, under } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { restrictedProblems } from '../pod-security.ts';
import { CONTAINER, environmentOf, ofDeployment, POD } from '../pods.ts';
import type { ServiceName } from '../service-charts.ts';

const ANNOTATIONS = 'spec.template.metadata.annotations';
const injector = (name: string): string => `vault.hashicorp.com/${name}`;

/** The mission's annotations, word for word. */
export const INJECTED: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>> = {
  'orchestrator-dynamic': {
    'vault.hashicorp.com/agent-inject': 'true',
    'vault.hashicorp.com/role': 'orchestrator-dynamic',
    'vault.hashicorp.com/agent-inject-secret-mongodb': 'secret/data/orchestrator/mongodb',
    'vault.hashicorp.com/agent-inject-secret-postgres': 'database/creds/temporal-orchestrator',
    'vault.hashicorp.com/agent-inject-secret-kafka': 'secret/data/orchestrator/kafka',
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
  const wanted = INJECTED[name] ?? {};
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

const ROTATION = 'rotate-orchestrator-kafka';
const JOB = 'spec.jobTemplate.spec.template.spec';

/** With rotation.enabled. */
export const ROTATION_RULES: readonly Rule[] = [
  {
    id: 'rotation-login',
    what: 'hive rotate logs in as a service account and a Vault role of its own',
    assert: (manifests) => {
      const job = manifests.get('CronJob', ROTATION);
      equal(at(job, `${JOB}.serviceAccountName`), 'user-rotator');
      equal(manifests.at('ServiceAccount', 'user-rotator', 'automountServiceAccountToken'), false);
      equal(
        at(job, `${JOB}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`),
        AUDIENCES.vault,
      );
      const given = listAt(job, `${JOB}.containers.0.args`);
      for (const argument of [
        ...['rotate', 'kafka', '--path=orchestrator/kafka', '--admin-path=admin/kafka', '--broker=kafka:9093'],
        ...['--vault-role=user-rotator', '--vault-auth-mount=kubernetes', '--vault-ca=/etc/vault/ca/ca.crt'],
        ...['--vault-jwt-file=/var/run/secrets/vault/token', '--mount=secret', '--deadline=300'],
      ]) {
        ok(given.includes(argument), argument);
      }
      for (const argument of given) ok(!/token=|password/i.test(String(argument)), String(argument));
    },
    mutations: [
      changed('CronJob', ROTATION, `${JOB}.serviceAccountName`, 'orchestrator-dynamic'),
      withoutManifest('ServiceAccount', 'user-rotator'),
      without('CronJob', ROTATION, `${JOB}.volumes.name=vault-token`),
      ...[3, 6, 8, 9, 10].map((position) => without('CronJob', ROTATION, `${JOB}.containers.0.args.${position}`)),
      changed('CronJob', ROTATION, `${JOB}.containers.0.args.2`, '--vault-token=s.x'),
    ],
  },
  {
    id: 'rotation-job',
    what: 'one rotation at a time, ended after longer than consumers may take, and admitted by a restricted namespace',
    assert: (manifests) => {
      const job = manifests.get('CronJob', ROTATION);
      equal(at(job, 'spec.concurrencyPolicy'), 'Forbid');
      ok(Number(at(job, 'spec.startingDeadlineSeconds')) > 0);
      ok(Number(at(job, 'spec.jobTemplate.spec.activeDeadlineSeconds')) > 300);
      deepEqual(restrictedProblems(at(job, JOB)), []);
      match(String(at(job, `${JOB}.containers.0.image`)), /^neural-hive\/hive:[0-9]/);
      notEqual(at(job, 'spec.failedJobsHistoryLimit'), undefined);
    },
    mutations: [
      changed('CronJob', ROTATION, 'spec.concurrencyPolicy', 'Allow'),
      without('CronJob', ROTATION, 'spec.startingDeadlineSeconds'),
      changed('CronJob', ROTATION, 'spec.jobTemplate.spec.activeDeadlineSeconds', 60),
      without('CronJob', ROTATION, `${JOB}.containers.0.securityContext.capabilities`),
      changed('CronJob', ROTATION, `${JOB}.containers.0.image`, 'neural-hive/hive'),
    ],
  },
];

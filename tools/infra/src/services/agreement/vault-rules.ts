import { deepEqual, equal, ok } from 'node:assert/strict';
import { INJECTED_FILES, migratorRole, SCHEMAS } from '@neural-hive/contracts';
import { at, listAt, type Manifest, type Manifests, under } from '../../manifests.ts';
import { changed, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CONTAINER, environmentOf, POD } from '../pods.ts';
import { SERVICE_NAMES } from '../service-charts.ts';
import { NOT_IN_PODS } from './code-environment.ts';

const INJECT = 'vault.hashicorp.com/agent-inject-secret-';
const ROTATION = 'rotate-orchestrator-kafka';
const JOB = 'spec.jobTemplate.spec.template.spec';

/** Whether the policy of a role lets it do something with a path; `+` and a `*` at the end are Vault's patterns. */
function may(manifests: Manifests, role: string, capability: string, path: string): boolean {
  return listAt(manifests.get('VaultSetup', 'vault-setup'), ['policies', role, 'rules']).some((rule) => {
    const pattern = String(at(rule, 'path'));
    const matches = pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
    return matches && listAt(rule, 'capabilities').includes(capability);
  });
}

function injectedPaths(deployment: Manifest): readonly string[] {
  const annotations = at(deployment, 'spec.template.metadata.annotations') as Readonly<Record<string, string>>;
  return Object.entries(annotations).flatMap(([key, path]) => (key.startsWith(INJECT) ? [path] : []));
}

/** What a variable of the pod is that nobody reads, or what the code reads that the pod lacks. */
function environmentProblems(manifests: Manifests, name: string): readonly string[] {
  const given = Object.keys(environmentOf(manifests.at('Deployment', name, CONTAINER)));
  const reads = listAt(manifests.get('Code', name), 'reads').map(String);
  return [
    ...given.filter((variable) => !reads.includes(variable)).map((one) => `${one} is not read`),
    ...reads
      .filter((variable) => !given.includes(variable) && !(variable in NOT_IN_PODS))
      .map((one) => `${one} is not given`),
  ];
}

export const ENVIRONMENT_RULES: readonly Rule[] = SERVICE_NAMES.map((name) => ({
  id: `agree-environment-${name}`,
  what: 'a pod is given every variable that its code reads, and none that it does not',
  assert: (manifests) => deepEqual(environmentProblems(manifests, name), []),
  mutations: [
    without('Deployment', name, `${CONTAINER}.env.name=METRICS_PORT`),
    changed('Deployment', name, `${CONTAINER}.env.0.name`, 'VAULT_ADDR'),
    changed('Code', name, 'reads', (reads: unknown) => [...(reads as string[]), 'SOMETHING_NEW']),
  ],
}));

const MIGRATE = 'orchestrator-dynamic-migrate-';

export const VAULT_RULES: readonly Rule[] = [
  {
    id: 'agree-migration',
    what: 'the migrators’ role is bound to the Job’s service account, and the code reads what the Job is given',
    assert: (manifests) => {
      const job = manifests.of('Job').find(({ metadata }) => metadata.name.startsWith(MIGRATE));
      ok(job !== undefined, 'there is no Job that migrates');
      const role = manifests.at('VaultSetup', 'vault-setup', 'roles.kubernetes.schema-migrator');
      deepEqual(at(role, 'bound_service_account_names'), [at(job, `${POD}.serviceAccountName`)]);
      deepEqual(at(role, 'bound_service_account_namespaces'), [job.metadata.namespace]);
      equal(
        at(role, 'audience'),
        at(job, `${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`),
      );
      const reads = listAt(manifests.get('Code', 'migration'), 'reads');
      for (const variable of Object.keys(environmentOf(at(job, `${POD}.containers.name=migrate`)))) {
        ok(reads.includes(variable), `${variable} is not read`);
      }
      for (const schema of SCHEMAS) {
        const path = `database/creds/${migratorRole(schema)}`;
        ok(may(manifests, 'schema-migrator', 'read', path), path);
      }
    },
    mutations: [
      changed('VaultSetup', 'vault-setup', 'roles.kubernetes.schema-migrator.bound_service_account_names', ['other']),
      changed('VaultSetup', 'vault-setup', ['policies', 'schema-migrator', 'rules'], []),
      changed('Code', 'migration', 'reads', []),
    ],
  },
  {
    id: 'agree-rotation',
    what: 'hive rotate’s role is bound to its Job’s service account, and may read and write what the Job names',
    assert: (manifests) => {
      const job = manifests.get('CronJob', ROTATION);
      const role = manifests.at('VaultSetup', 'vault-setup', 'roles.kubernetes.user-rotator');
      deepEqual(at(role, 'bound_service_account_names'), [at(job, `${JOB}.serviceAccountName`)]);
      deepEqual(at(role, 'bound_service_account_namespaces'), [job.metadata.namespace]);
      equal(
        at(role, 'audience'),
        at(job, `${JOB}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`),
      );
      const options = new Map(
        listAt(job, `${JOB}.containers.0.args`).map((argument) => String(argument).split('=') as [string, string]),
      );
      const data = (option: string): string => `${options.get('--mount')}/data/${options.get(option)}`;
      equal(options.get('--vault-role'), 'user-rotator');
      ok(may(manifests, 'user-rotator', 'update', data('--path')), data('--path'));
      ok(may(manifests, 'user-rotator', 'read', data('--admin-path')), data('--admin-path'));
    },
    mutations: [
      changed('CronJob', ROTATION, `${JOB}.serviceAccountName`, 'orchestrator-dynamic'),
      changed('CronJob', ROTATION, 'metadata.namespace', 'neural-hive-execution'),
      changed('CronJob', ROTATION, `${JOB}.containers.0.args.3`, '--path=orchestrator/other'),
      without('VaultSetup', 'vault-setup', 'roles.kubernetes.user-rotator.audience'),
    ],
  },
];

/** With agents injected. */
export const INJECTION_RULES: readonly Rule[] = [
  ...SERVICE_NAMES.map(
    (name): Rule => ({
      id: `agree-injected-${name}`,
      what: 'the role may read every path that is injected',
      assert: (manifests) => {
        const paths = injectedPaths(manifests.get('Deployment', name));
        ok(paths.length > 0, 'nothing is injected');
        for (const path of paths) ok(may(manifests, name, 'read', path), `${name} may not read ${path}`);
      },
      mutations: [
        changed('Deployment', name, under('spec.template.metadata.annotations', `${INJECT}other`), 'secret/data/other'),
        changed('VaultSetup', 'vault-setup', ['policies', name, 'rules'], []),
      ],
    }),
  ),
  ...SERVICE_NAMES.map(
    (name): Rule => ({
      id: `agree-injected-files-${name}`,
      what: 'what is injected are the files that the code looks for, in the folder that it is told',
      assert: (manifests) => {
        deepEqual(environmentProblems(manifests, name), []);
        const deployment = manifests.get('Deployment', name);
        const files = Object.keys(at(deployment, 'spec.template.metadata.annotations') as object)
          .filter((key) => key.startsWith(INJECT))
          .map((key) => key.slice(INJECT.length));
        deepEqual(files.sort(), [...INJECTED_FILES[name]].sort());
        ok('VAULT_AGENT_SECRETS_PATH' in environmentOf(at(deployment, CONTAINER)));
      },
      mutations: [
        without('Deployment', name, `${CONTAINER}.env.name=VAULT_AGENT_SECRETS_PATH`),
        changed('Code', name, 'reads', []),
        changed('Deployment', name, under('spec.template.metadata.annotations', `${INJECT}other`), 'secret/data/other'),
      ],
    }),
  ),
];

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { WORKLOAD_NAMES, WORKLOADS, type WorkloadName, workloadSpiffeId } from '@neural-hive/contracts';
import { at, listAt, type Manifest, type Manifests } from '../../manifests.ts';
import { changed, type Mutation, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { entryCommands, entryJob, optionsOf } from '../entry-job.ts';
import { NAMESPACE } from '../renderings.ts';
import { assertRestricted, POD } from './pods.ts';

const NODES = 'spiffe://neural-hive.local/cluster/neural-hive';

/** A change of the Job, whose name ends with a hash. */
function jobWith(what: string, make: (job: Manifest) => Mutation): Mutation {
  return { what, apply: (manifests) => make(entryJob(manifests)).apply(manifests) };
}

const container = (prefix: string, name: string): string => `${POD}.initContainers.name=${prefix}-${name}`;

/** The options that the Job gives to the entry of a SPIFFE ID. */
function entryOf(manifests: Manifests, spiffeId: string) {
  const found = entryCommands(manifests)
    .map(optionsOf)
    .filter(({ one }) => one.get('-spiffeID') === spiffeId);
  equal(found.length, 2, `${spiffeId} is not created and updated`);
  const [created, updated] = found;
  ok(created !== undefined && updated !== undefined);
  equal(created.action, 'create');
  equal(updated.action, 'update');
  equal(created.one.get('-output'), 'json', 'an entry that exists would fail the Job');
  equal(updated.one.get('-output'), undefined, 'an entry that is not as wanted would not fail the Job');
  deepEqual(
    [...updated.one].filter(([key]) => key !== '-output'),
    [...created.one].filter(([key]) => key !== '-output'),
  );
  deepEqual(updated.many, created.many);
  return updated;
}

function isWorkloadEntry(manifests: Manifests, name: WorkloadName): void {
  const { namespace, serviceAccount } = WORKLOADS[name];
  const { one, many } = entryOf(manifests, workloadSpiffeId(name));
  equal(one.get('-parentID'), NODES);
  deepEqual(many.get('-selector'), [`k8s:ns:${namespace}`, `k8s:sa:${serviceAccount}`]);
}

/** Points 33 and 34. */
export const ENTRY_RULES: readonly Rule[] = [
  {
    id: 'spire-33',
    what: 'a Job waits for a server, then creates and updates each entry below an alias of all nodes, as often as it runs',
    assert: (manifests) => {
      const job = entryJob(manifests);
      match(job.metadata.name, /-[0-9a-f]{8}$/);
      equal(job.metadata.annotations?.['helm.sh/hook'], undefined, 'a hook would wait for what waits for it');
      equal(at(job, `${POD}.restartPolicy`), 'OnFailure');
      ok(Number(at(job, 'spec.activeDeadlineSeconds')) >= 600, 'activeDeadlineSeconds');
      assertRestricted(at(job, 'spec.template'));
      deepEqual(listAt(job, `${POD}.initContainers.0.args`).slice(0, 4), [
        'wait',
        `--namespace=${NAMESPACE}`,
        '--for=condition=Ready',
        'pod/spire-server-0',
      ]);
      const { one, many } = entryOf(manifests, NODES);
      equal(one.get('-parentID'), 'spiffe://neural-hive.local/spire/server');
      deepEqual(many.get('-selector'), [
        'k8s_psat:cluster:neural-hive',
        'k8s_psat:agent_ns:spire-system',
        'k8s_psat:agent_sa:spire-agent',
      ]);
    },
    mutations: [
      jobWith('no wait for the server', ({ metadata: { name } }) =>
        without('Job', name, `${POD}.initContainers.name=wait-for-server`),
      ),
      jobWith('create without -output json', ({ metadata: { name } }) =>
        changed('Job', name, `${container('create', 'nodes')}.args`, (args: unknown) =>
          (args as string[]).filter((arg) => !['-output', 'json'].includes(arg)),
        ),
      ),
      jobWith('no update', ({ metadata: { name } }) => without('Job', name, container('update', 'nodes'))),
      jobWith('nodes by another cluster', ({ metadata: { name } }) =>
        changed('Job', name, `${container('update', 'nodes')}.args`, (args: unknown) =>
          (args as string[]).map((arg) => arg.replace('cluster:neural-hive', 'cluster:other')),
        ),
      ),
      jobWith('a hook', ({ metadata: { name } }) =>
        changed('Job', name, ['metadata', 'annotations', 'helm.sh/hook'], 'post-install'),
      ),
      jobWith('never tried again', ({ metadata: { name } }) => changed('Job', name, `${POD}.restartPolicy`, 'Never')),
    ],
  },
  {
    id: 'spire-33, rights',
    what: 'the Job may run the server’s program in one pod, and nothing else',
    assert: (manifests) => {
      const { rules } = manifests.get('Role', 'spire-entries');
      deepEqual(rules, [
        { apiGroups: [''], resources: ['pods'], resourceNames: ['spire-server-0'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: [''], resources: ['pods/exec'], resourceNames: ['spire-server-0'], verbs: ['create', 'get'] },
      ]);
      const subjects = [{ kind: 'ServiceAccount', name: 'spire-entries', namespace: NAMESPACE }];
      deepEqual(manifests.at('RoleBinding', 'spire-entries', 'subjects'), subjects);
      equal(at(entryJob(manifests), `${POD}.serviceAccountName`), 'spire-entries');
      const executors = [...manifests.of('Role'), ...manifests.of('ClusterRole')].filter((role) =>
        JSON.stringify(role.rules).includes('pods/exec'),
      );
      deepEqual(
        executors.map(({ metadata }) => metadata.name),
        ['spire-entries'],
      );
    },
    mutations: [
      without('Role', 'spire-entries', 'rules.1.resourceNames'),
      changed('Role', 'spire-entries', 'rules.0.verbs', ['*']),
      changed('Role', 'spire-bundle', 'rules.0.resources', ['configmaps', 'pods/exec']),
      changed('RoleBinding', 'spire-entries', 'subjects.0.name', 'default'),
    ],
  },
  {
    id: 'spire-34',
    what: 'the three services and the OIDC provider get the identity of their namespace and service account',
    assert: (manifests) => {
      for (const name of WORKLOAD_NAMES) isWorkloadEntry(manifests, name);
      const provider = entryOf(manifests, 'spiffe://neural-hive.local/ns/spire/sa/spire-oidc');
      deepEqual(provider.many.get('-selector'), ['k8s:ns:spire', 'k8s:sa:spire-oidc']);
      equal(manifests.at('Deployment', 'spire-oidc', `${POD}.serviceAccountName`), 'spire-oidc');
    },
    mutations: [
      ...WORKLOAD_NAMES.map((name) =>
        jobWith(`${name} in another namespace`, (job) =>
          replaceInJob(job, `k8s:ns:${WORKLOADS[name].namespace}`, 'k8s:ns:default'),
        ),
      ),
      jobWith('another identity', (job) =>
        replaceInJob(job, workloadSpiffeId('service-registry'), 'spiffe://neural-hive.local/registry'),
      ),
      jobWith('entries below a node', (job) =>
        replaceInJob(job, NODES, 'spiffe://neural-hive.local/spire/agent/k8s_psat/neural-hive/1'),
      ),
      changed('Deployment', 'spire-oidc', `${POD}.serviceAccountName`, 'default'),
      {
        what: 'no Job',
        apply: (manifests) => withoutManifest('Job', entryJob(manifests).metadata.name).apply(manifests),
      },
    ],
  },
];

/** A text that is replaced wherever the Job has it. */
function replaceInJob(job: Manifest, text: string, by: string): Mutation {
  return changed(
    'Job',
    job.metadata.name,
    'spec',
    (spec: unknown) => JSON.parse(JSON.stringify(spec).replaceAll(text, by)) as unknown,
  );
}

/** Point 34 with what an entry may have besides. */
export const OPTIONAL_ENTRY_RULES: readonly Rule[] = [
  {
    id: 'spire-34, options',
    what: 'lifetimes, names, foreign bundles and more selectors of an entry reach the server',
    assert: (manifests) => {
      const { one, many } = entryOf(manifests, workloadSpiffeId('service-registry'));
      equal(one.get('-x509SVIDTTL'), '1800');
      equal(one.get('-jwtSVIDTTL'), '120');
      deepEqual(many.get('-dns'), ['service-registry.neural-hive-registry.svc']);
      deepEqual(many.get('-federatesWith'), ['spiffe://other.test']);
      ok(many.get('-selector')?.includes('k8s:container-name:service-registry'));
    },
    mutations: [
      '1800',
      '120',
      'service-registry.neural-hive-registry.svc',
      'spiffe://other.test',
      'k8s:container-name:service-registry',
    ].map((text) => jobWith(`without ${text}`, (job) => replaceInJob(job, `"${text}"`, '"x"'))),
  },
];

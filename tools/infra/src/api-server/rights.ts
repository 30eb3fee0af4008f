import { doesNotMatch, equal, match } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { at, listAt, type Manifests } from '../manifests.ts';
import { parseAccessTable, tableDifferences } from '../network/access-table.ts';
import { point } from '../point.ts';
import { run, type Stage } from './stage.ts';
import type { Subject } from './subjects.ts';

const TABLE = ['tools', 'infra', 'tables', 'rights.tsv'];

/** Where something may lie that an account could be allowed. */
const NAMESPACES = [
  'default',
  'kube-system',
  'neural-hive',
  'neural-hive-execution',
  'neural-hive-orchestration',
  'neural-hive-registry',
  'spire',
  'spire-system',
  'vault',
];

/** What would give an account the rest, wherever it is: `kubectl auth can-i` has to say no. */
const NEVER: readonly (readonly string[])[] = [
  ['*', '*', '--all-namespaces'],
  ['list', 'secrets', '--all-namespaces'],
  ['create', 'pods', '--all-namespaces'],
  ['create', 'serviceaccounts/token', '--all-namespaces'],
  ['create', 'rolebindings.rbac.authorization.k8s.io', '--all-namespaces'],
  ['escalate', 'clusterroles.rbac.authorization.k8s.io'],
  ['impersonate', 'users'],
  ['update', 'nodes'],
];

interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** What each account of the chart may do, as the API server answers the account itself, against the committed table. */
export async function judgeRights(stage: Stage, subject: Subject, manifests: Manifests, root: string): Promise<void> {
  const { report } = stage;
  const wanted = parseAccessTable(readFileSync(join(root, ...TABLE), 'utf8'));
  const anybody = await rightsOf(stage, { namespace: 'default', name: 'default' }, NAMESPACES);
  for (const account of accountsOf(manifests)) {
    const name = `${account.namespace}/${account.name}`;
    const mine = wanted.filter((line) => line.startsWith(`${name}\t`));
    const lines = async (): Promise<readonly string[]> =>
      (await rightsOf(stage, account, NAMESPACES))
        .filter((right) => !anybody.includes(right))
        .map((right) => `${name}\t${right}`);
    await point(report, `${subject.name}: ${name} may do what the table says and nothing else`, async () => {
      equal(tableDifferences(mine, await lines()).join('\n'), '');
    });
    await point(report, `${subject.name}: one right more of ${name} is noticed`, () =>
      // The authorizer learns of it by watching.
      withRightMore(stage, account, () =>
        eventually('a difference', async () => tableDifferences(mine, await lines()).length === 1),
      ),
    );
    const token = await tokenOf(stage, account);
    for (const question of NEVER) {
      await point(report, `${subject.name}: can-i ${question.join(' ')} as ${name}: no`, () => {
        const { output } = stage.release.kubectl(['auth', 'can-i', ...question], { token });
        match(output, /^no\b/m);
        doesNotMatch(output, /^yes/m);
      });
    }
  }
}

function accountsOf(manifests: Manifests): readonly Account[] {
  return manifests
    .of('ServiceAccount')
    .map(({ metadata }) => ({ namespace: metadata.namespace ?? 'default', name: metadata.name }));
}

function tokenOf({ cluster }: Stage, { namespace, name }: Account): Promise<string> {
  // No audience means the API server’s own.
  return cluster.api.requestToken({ namespace, serviceAccount: name, audiences: [] });
}

/** Lines `<where>\t<verbs>\t<what>`; what is so in every namespace has `*` for where. */
async function rightsOf(stage: Stage, account: Account, namespaces: readonly string[]): Promise<readonly string[]> {
  const token = await tokenOf(stage, account);
  const found = new Map<string, string[]>();
  for (const namespace of namespaces) {
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
    const { status, json, text } = await stage.cluster.api.call(path, { token, body: { spec: { namespace } } });
    equal(status, 201, text);
    equal(at(json, 'status.incomplete'), false);
    for (const right of new Set(listAt(json, 'status.resourceRules').map(written)))
      found.set(right, [...(found.get(right) ?? []), namespace]);
  }
  const lines = [...found].flatMap(([right, where]) =>
    (where.length === namespaces.length ? ['*'] : where).map((one) => `${one}\t${right}`),
  );
  return lines.sort();
}

function written(rule: unknown): string {
  const list = (path: string): readonly string[] => listAt(rule, path).map(String);
  const groups = list('apiGroups');
  const resources = list('resources').flatMap((resource) =>
    groups.map((group) => (group === '' ? resource : `${resource}.${group}`)),
  );
  const names = list('resourceNames');
  return [
    [...list('verbs')].sort().join(','),
    [...[...resources].sort(), ...names.map((name) => `"${name}"`)].join(' '),
  ].join('\t');
}

/** The control: somebody gave the account one right that is not in the table. */
async function withRightMore(stage: Stage, { namespace, name }: Account, work: () => Promise<void>): Promise<void> {
  const more = 'one-more';
  run(stage.release, ['create', 'role', more, '--verb=get', '--resource=secrets', '--namespace', namespace]);
  const binding = ['create', 'rolebinding', more, `--role=${more}`, `--serviceaccount=${namespace}:${name}`];
  run(stage.release, [...binding, '--namespace', namespace]);
  try {
    await work();
  } finally {
    run(stage.release, ['delete', `rolebinding/${more}`, `role/${more}`, '--namespace', namespace]);
  }
}

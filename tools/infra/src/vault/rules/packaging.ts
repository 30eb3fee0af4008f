import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { parse } from 'yaml';
import { at, type Manifests, under } from '../../manifests.ts';
import { changed, rewritten, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CHART_FILES } from '../chart-files.ts';
import { SERVER_LABELS } from '../server-pod.ts';

const WITHOUT_NAMESPACE = ['ClusterRole', 'ClusterRoleBinding', 'MutatingWebhookConfiguration', CHART_FILES];

const RECOMMENDED = [
  'app.kubernetes.io/name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
  'app.kubernetes.io/version',
  'app.kubernetes.io/part-of',
  'app.kubernetes.io/managed-by',
  'helm.sh/chart',
];

const fileOf = (manifests: Manifests, name: string): string =>
  String(manifests.at(CHART_FILES, 'vault', ['data', name]));
const inFile = (name: string, pattern: RegExp, by: string) =>
  rewritten(CHART_FILES, 'vault', ['data', name], pattern, by);

/** Objects of a schema that name their fields and take others, too. */
function openObjects(schema: unknown, path = ''): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const open =
    at(schema, 'properties') !== undefined &&
    at(schema, 'type') === 'object' &&
    at(schema, 'additionalProperties') !== false
      ? [path]
      : [];
  return [...open, ...Object.entries(schema).flatMap(([name, inner]) => openObjects(inner, `${path}/${name}`))];
}

/** The values that the chart has, with dots between their names; what is free text or a list ends there. */
function valuePaths(values: unknown, path: readonly string[] = []): string[] {
  if (typeof values !== 'object' || values === null || Array.isArray(values) || Object.keys(values).length === 0) {
    return [path.join('.')];
  }
  return Object.entries(values).flatMap(([name, inner]) => valuePaths(inner, [...path, name]));
}

/** Points 41 to 44. */
export const PACKAGING_RULES: readonly Rule[] = [
  {
    id: 'vault-41',
    what: 'the schema knows every value and takes no other, and restricts what must have a form',
    assert: (manifests) => {
      const schema: unknown = JSON.parse(fileOf(manifests, 'values.schema.json'));
      deepEqual(openObjects(schema), []);
      deepEqual(at(schema, 'properties.server.properties.replicas.enum'), [1, 3, 5, 7]);
      match(String(at(schema, '$defs.roleArn.pattern')), /arn:aws/);
      ok(at(schema, 'properties.aws.properties.region.pattern') !== undefined, 'aws.region');
      ok(at(schema, '$defs.quantity.pattern') !== undefined, 'quantities');
      for (const name of Object.keys(parse(fileOf(manifests, 'values.yaml')) as object)) {
        ok(at(schema, ['properties', name]) !== undefined, `${name} is in values.yaml and not in the schema`);
      }
    },
    mutations: [
      inFile('values.schema.json', /"additionalProperties": false,/, ''),
      inFile('values.schema.json', /"enum": \[1, 3, 5, 7\]/, '"type": "integer"'),
      inFile('values.schema.json', /"pattern": "\^\(\[a-z\]\{2\}[^"]*"/, '"minLength": 0'),
      inFile('values.yaml', /^seal:/m, 'seals:'),
    ],
  },
  {
    id: 'vault-42',
    what: 'every object has the recommended labels, a short name and its namespace; selectors use what never changes',
    assert: (manifests) => {
      const rendered = manifests.all.filter(({ kind }) => kind !== CHART_FILES);
      ok(rendered.length >= 35, `only ${rendered.length} objects`);
      for (const { kind, metadata } of rendered) {
        const name = `${kind} ${metadata.name}`;
        for (const label of RECOMMENDED) ok(metadata.labels?.[label] !== undefined, `${name} has no ${label}`);
        ok(metadata.name.length <= 63, name);
        equal(metadata.namespace, WITHOUT_NAMESPACE.includes(kind) ? undefined : 'vault', name);
      }
      deepEqual(manifests.at('StatefulSet', 'vault', 'spec.selector.matchLabels'), SERVER_LABELS);
      const pod = manifests.at('StatefulSet', 'vault', 'spec.template.metadata.labels');
      equal(at(pod, ['helm.sh/chart']), undefined, 'the chart’s version would make every pod outdated');
    },
    mutations: [
      without('Service', 'vault', under('metadata.labels', 'app.kubernetes.io/part-of')),
      without('ConfigMap', 'vault-config', 'metadata.namespace'),
      changed('ServiceAccount', 'vault-init', 'metadata.name', 'x'.repeat(64)),
      changed('StatefulSet', 'vault', under('spec.selector.matchLabels', 'app.kubernetes.io/version'), '1'),
      changed('StatefulSet', 'vault', under('spec.template.metadata.labels', 'helm.sh/chart'), 'vault-0.1.0'),
      changed('ClusterRole', 'vault-vault-injector', 'metadata.namespace', 'vault'),
    ],
  },
  {
    id: 'vault-43',
    what: 'the chart says what it is and what it needs, tells the next command, tests itself, and documents every value',
    assert: (manifests) => {
      const chart: unknown = parse(fileOf(manifests, 'Chart.yaml'));
      equal(at(chart, 'kubeVersion'), '>=1.30.0-0');
      match(String(at(chart, 'appVersion')), /^\d+\.\d+\.\d+$/);
      ok(at(chart, ['annotations', 'artifacthub.io/license']) !== undefined, 'annotations');
      ok(/kubectl .*wait/.test(fileOf(manifests, 'templates/NOTES.txt')), 'NOTES.txt does not say the next command');
      const test = manifests.get('Job', 'vault-test-status');
      equal(at(test, under('metadata.annotations', 'helm.sh/hook')), 'test');
      match(String(at(test, under('metadata.annotations', 'helm.sh/hook-delete-policy'))), /before-hook-creation/);
      const readme = fileOf(manifests, 'README.md');
      const missing = valuePaths(parse(fileOf(manifests, 'values.yaml'))).filter((path) => !isDocumented(readme, path));
      deepEqual(missing, [], 'values that README.md does not have');
    },
    mutations: [
      inFile('Chart.yaml', /kubeVersion: .*/, ''),
      inFile('templates/NOTES.txt', /kubectl/g, ''),
      withoutManifest('Job', 'vault-test-status'),
      without('Job', 'vault-test-status', under('metadata.annotations', 'helm.sh/hook-delete-policy')),
      inFile('README.md', /`seal\.type`/, ''),
      inFile('values.yaml', /^seal:/m, 'undocumented: 1\nseal:'),
    ],
  },
  {
    id: 'vault-44',
    what: 'README.md has the upgrade, the skew of versions, the restore with the same key and the recovery of a lost quorum',
    assert: (manifests) => {
      const readme = fileOf(manifests, 'README.md');
      for (const topic of [
        /step-down/,
        /--from=cronjob\/vault-snapshot/,
        /version skew/i,
        /same KMS key/i,
        /peers\.json/,
      ]) {
        ok(topic.test(readme), `README.md has nothing on ${String(topic)}`);
      }
    },
    mutations: [
      inFile('README.md', /peers\.json/g, ''),
      inFile('README.md', /same KMS key/gi, ''),
      inFile('README.md', /version skew/gi, ''),
    ],
  },
];

/** Written as `a.b.c`, or covered by a row for what is above it: `a.b.*`. */
function isDocumented(readme: string, path: string): boolean {
  const parts = path.split('.');
  return (
    readme.includes(`\`${path}\``) ||
    parts.some((_, index) => index > 0 && readme.includes(`\`${parts.slice(0, index).join('.')}.*\``))
  );
}

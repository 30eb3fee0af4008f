import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { AUDIENCES } from '@neural-hive/contracts';
import { BOOTSTRAP_ROLE, SNAPSHOT_ROLE, settingsSchema } from '@neural-hive/vault-cluster';
import { setupParameters } from '@neural-hive/vault-setup';
import { at, listAt, type Manifest, type Manifests, type Path } from '../../manifests.ts';
import { changed, type Mutation, rewritten, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CHART_FILES } from '../chart-files.ts';
import { changedOfSet, JOB_POD, POD, seconds, serverSet, withoutOfSet } from '../server-pod.ts';
import { IRSA_ANNOTATION } from './security.ts';
import { inSettings, settingsOf } from './storage.ts';

/** The Job of a component: what it runs is in its name. */
export function jobOf(manifests: Manifests, component: string): Manifest {
  const found = manifests
    .of('Job')
    .find(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === component);
  ok(found !== undefined, `there is no Job of ${component}`);
  return found;
}

/** A mutation of the Job of a component, whatever its name. */
function ofJob(component: string, mutate: (name: string) => Mutation): Mutation {
  return {
    what: `Job ${component}: ${mutate('…').what}`,
    apply: (manifests) => mutate(jobOf(manifests, component).metadata.name).apply(manifests),
  };
}

const withoutOfJob = (component: string, path: Path): Mutation =>
  ofJob(component, (name) => without('Job', name, path));
const changedOfJob = (component: string, path: Path, to: unknown): Mutation =>
  ofJob(component, (name) => changed('Job', name, path, to));

const ofSnapshot = (manifests: Manifests, path: string): unknown =>
  manifests.at('CronJob', 'vault-snapshot', `spec.${path}`);

/** Points 27 to 30. */
export const JOB_RULES: readonly Rule[] = [
  {
    id: 'vault-27',
    what: 'an init Job with an account and a role of its own stores keys and token, sets up, and revokes the token',
    assert: (manifests) => {
      const job = jobOf(manifests, 'init');
      match(job.metadata.name, /^vault-init-[0-9a-f]{10}$/);
      equal(at(job, `${POD}.serviceAccountName`), 'vault-init');
      match(String(manifests.at('ServiceAccount', 'vault-init', IRSA_ANNOTATION)), /role\/neural-hive-vault-init$/);
      equal(listAt(job, `${POD}.containers.0.args`)[0], 'init');
      const read = settingsSchema.safeParse(settingsOf(manifests));
      ok(read.success, `the programs refuse the settings: ${read.error?.message}`);
      setupParameters.parse(read.data?.parameters);
      deepEqual(at(settingsOf(manifests), 'init.secrets'), {
        recoveryKeys: 'neural-hive/vault/unseal-keys',
        rootToken: 'neural-hive/vault/root-token',
      });
      equal(at(settingsOf(manifests), 'init.revokeRootToken'), true);
      // Later runs do without the root token.
      const bootstrap = jobOf(manifests, 'bootstrap');
      equal(at(bootstrap, `${POD}.serviceAccountName`), BOOTSTRAP_ROLE);
      equal(at(manifests.get('ServiceAccount', 'vault-bootstrap'), IRSA_ANNOTATION), undefined);
      const token = at(bootstrap, `${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken`);
      equal(at(token, 'audience'), AUDIENCES.vault);
      for (const account of ['vault-init', 'vault-bootstrap']) {
        const bound = [...manifests.of('RoleBinding'), ...manifests.of('ClusterRoleBinding')].filter((binding) =>
          listAt(binding, 'subjects').some((subject) => at(subject, 'name') === account),
        );
        deepEqual(bound, [], `${account} has rights in the cluster`);
      }
    },
    mutations: [
      ofJob('init', (name) => withoutManifest('Job', name)),
      ofJob('bootstrap', (name) => withoutManifest('Job', name)),
      changedOfJob('init', `${POD}.serviceAccountName`, 'vault-server'),
      without('ServiceAccount', 'vault-init', IRSA_ANNOTATION),
      inSettings(/"revokeRootToken": true/, '"revokeRootToken": false'),
      inSettings(/"recoveryShares"/, '"shares"'),
      inSettings(/neural-hive\/vault\/root-token/, 'neural-hive/vault/unseal-keys'),
      withoutOfJob('bootstrap', `${POD}.volumes.name=vault-token`),
      changed('ServiceAccount', 'vault-bootstrap', IRSA_ANNOTATION, 'arn:aws:iam::123456789012:role/x'),
      changed('ClusterRoleBinding', 'vault-vault-auth-delegator', 'subjects.0.name', 'vault-init'),
    ],
  },
  {
    id: 'vault-29',
    what: 'two audit devices with nothing raw in them, a volume for the file, rotation to the bucket, and an alert',
    assert: (manifests) => {
      const devices = listAt(settingsOf(manifests), 'cluster.auditDevices');
      deepEqual(
        devices.map((device) => at(device, 'options.file_path')),
        ['/vault/audit/audit.log', 'stdout'],
      );
      for (const device of devices) {
        equal(at(device, 'options.log_raw'), 'false');
        equal(at(device, 'options.hmac_accessor'), 'true');
      }
      const shipper = at(serverSet(manifests), `${POD}.containers.name=audit-shipper`);
      const args = listAt(shipper, 'args').map(String);
      equal(args[0], 'ship-audit');
      ok(args.includes('--file=/vault/audit/audit.log'), 'it ships another file');
      ok(args.includes('--bucket=neural-hive-vault-audit-logs'), 'it ships to another bucket');
      equal(at(shipper, 'volumeMounts.name=audit.mountPath'), '/vault/audit');
      ok(
        listAt(manifests.get('PrometheusRule', 'vault'), 'spec.groups.0.rules').some(
          (rule) =>
            at(rule, 'alert') === 'VaultAuditFailing' && /audit_log_request_failure/.test(String(at(rule, 'expr'))),
        ),
        'nothing tells that a device fails',
      );
    },
    mutations: [
      inSettings(/"file_path": "stdout"/, '"file_path": "/dev/null"'),
      inSettings(/"log_raw": "false"/, '"log_raw": "true"'),
      inSettings(/"hmac_accessor": "true"/, '"hmac_accessor": "false"'),
      withoutOfSet(`${POD}.containers.name=audit-shipper`),
      withoutOfSet(`${POD}.containers.name=audit-shipper.volumeMounts`),
      changedOfSet(`${POD}.containers.name=audit-shipper.args`, ['ship-audit', '--file=/vault/audit/audit.log']),
      without('PrometheusRule', 'vault', 'spec.groups.0.rules.alert=VaultAuditFailing'),
    ],
  },
  {
    id: 'vault-30',
    what: 'snapshots go to a bucket by a login that may read them and an IAM role that may put them, one at a time',
    assert: (manifests) => {
      equal(ofSnapshot(manifests, 'concurrencyPolicy'), 'Forbid');
      ok(Number(ofSnapshot(manifests, 'startingDeadlineSeconds')) > 0, 'startingDeadlineSeconds');
      ok(Number(ofSnapshot(manifests, 'jobTemplate.spec.activeDeadlineSeconds')) > 0, 'activeDeadlineSeconds');
      ok(ofSnapshot(manifests, 'successfulJobsHistoryLimit') !== undefined, 'successfulJobsHistoryLimit');
      ok(ofSnapshot(manifests, 'failedJobsHistoryLimit') !== undefined, 'failedJobsHistoryLimit');
      const pod = at(manifests.get('CronJob', 'vault-snapshot'), JOB_POD);
      equal(at(pod, 'serviceAccountName'), SNAPSHOT_ROLE);
      match(String(manifests.at('ServiceAccount', 'vault-snapshot', IRSA_ANNOTATION)), /neural-hive-vault-snapshot$/);
      equal(listAt(pod, 'containers.0.args')[0], 'snapshot');
      const token = at(pod, 'volumes.name=vault-token.projected.sources.0.serviceAccountToken');
      equal(at(token, 'audience'), AUDIENCES.vault);
      ok(seconds(`${String(at(token, 'expirationSeconds'))}s`) <= 3_600, 'its token lives long');
      equal(at(pod, 'containers.0.volumeMounts.name=vault-ca.mountPath'), '/vault/userconfig/vault-tls');
      ok(at(pod, 'volumes.name=scratch.emptyDir.sizeLimit') !== undefined, 'nowhere to verify it');
      deepEqual(at(settingsOf(manifests), 'snapshot'), { bucket: 'neural-hive-vault-snapshots', prefix: 'snapshots' });
      deepEqual(at(settingsOf(manifests), 'cluster.snapshotAccount'), { namespace: 'vault', name: 'vault-snapshot' });
      ok(/snapshot restore/.test(String(manifests.at(CHART_FILES, 'vault', ['data', 'README.md']))), 'README.md');
    },
    mutations: [
      withoutManifest('CronJob', 'vault-snapshot'),
      changed('CronJob', 'vault-snapshot', 'spec.concurrencyPolicy', 'Allow'),
      without('CronJob', 'vault-snapshot', 'spec.startingDeadlineSeconds'),
      without('CronJob', 'vault-snapshot', 'spec.jobTemplate.spec.activeDeadlineSeconds'),
      without('CronJob', 'vault-snapshot', 'spec.failedJobsHistoryLimit'),
      changed('CronJob', 'vault-snapshot', `${JOB_POD}.serviceAccountName`, 'vault-server'),
      without('ServiceAccount', 'vault-snapshot', IRSA_ANNOTATION),
      without('CronJob', 'vault-snapshot', `${JOB_POD}.containers.0.volumeMounts.name=vault-ca`),
      without('CronJob', 'vault-snapshot', `${JOB_POD}.volumes.name=scratch.emptyDir.sizeLimit`),
      inSettings(/"bucket": "neural-hive-vault-snapshots",/, ''),
      rewritten(CHART_FILES, 'vault', ['data', 'README.md'], /snapshot restore/g, ''),
    ],
  },
];

/** With a public key for the fallback. */
export const FALLBACK_RULES: readonly Rule[] = [
  {
    id: 'vault-28',
    what: 'keys that Secrets Manager refuses are kept sealed in a Secret that the Job can make and nobody in the cluster can open',
    assert: (manifests) => {
      const fallback = at(settingsOf(manifests), 'init.fallback');
      match(String(at(fallback, 'publicKey')), /^-----BEGIN PUBLIC KEY-----/);
      deepEqual([at(fallback, 'namespace'), at(fallback, 'secretName')], ['vault', 'vault-init-fallback']);
      const role = manifests.get('Role', 'vault-init-fallback');
      deepEqual(at(role, 'rules'), [{ apiGroups: [''], resources: ['secrets'], verbs: ['create'] }]);
      deepEqual(manifests.at('RoleBinding', 'vault-init-fallback', 'subjects'), [
        { kind: 'ServiceAccount', name: 'vault-init', namespace: 'vault' },
      ]);
      const job = jobOf(manifests, 'init');
      const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
      equal(at(job, `${POD}.containers.0.volumeMounts.name=kubernetes-token.mountPath`), folder);
      equal(at(job, `${POD}.automountServiceAccountToken`), false);
      const policy = JSON.stringify(manifests.at('NetworkPolicy', 'vault-init', 'spec.egress'));
      match(policy, /10\.0\.0\.0\/20.*6443/, 'it cannot reach the API server');
    },
    mutations: [
      withoutManifest('Role', 'vault-init-fallback'),
      changed('Role', 'vault-init-fallback', 'rules.0.verbs', ['create', 'get']),
      withoutManifest('RoleBinding', 'vault-init-fallback'),
      withoutOfJob('init', `${POD}.containers.0.volumeMounts.name=kubernetes-token`),
      inSettings(/"publicKey": "[^"]*",?/, '"publicKey": "",'),
      changed('NetworkPolicy', 'vault-init', 'spec.egress', (rules: unknown) => (rules as unknown[]).slice(0, 3)),
    ],
  },
];

import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { AUDIENCES } from '@neural-hive/contracts';
import { at, listAt, type Manifest, type Manifests } from '../../manifests.ts';
import { changed, type Mutation, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { restrictedProblems } from '../pod-security.ts';
import { environmentOf, POD } from '../pods.ts';

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

/** The Job that migrates; its name ends with a hash of what it runs. */
function migrationOf(manifests: Manifests): Manifest {
  const found = manifests.of('Job').find(({ metadata }) => metadata.name.startsWith('orchestrator-dynamic-migrate-'));
  ok(found !== undefined, 'there is no Job that migrates');
  return found;
}

const ofMigration = (make: (name: string) => Mutation, what: string): Mutation => ({
  what,
  apply: (manifests) => make(migrationOf(manifests).metadata.name).apply(manifests),
});

export const MIGRATION_RULES: readonly Rule[] = [
  {
    id: 'migration',
    what: 'the schemas are migrated by a Job with a service account and a Vault role of its own, and no login but a lease',
    assert: (manifests) => {
      const job = migrationOf(manifests);
      equal(at(job, `${POD}.serviceAccountName`), 'schema-migrator');
      equal(at(job, `${POD}.automountServiceAccountToken`), false);
      equal(manifests.at('ServiceAccount', 'schema-migrator', 'automountServiceAccountToken'), false);
      deepEqual(restrictedProblems(at(job, POD)), []);
      ok(Number(at(job, 'spec.activeDeadlineSeconds')) > 0);
      equal(
        at(job, `${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`),
        AUDIENCES.vault,
      );
      const environment = environmentOf(at(job, `${POD}.containers.name=migrate`));
      equal(environment.VAULT_KUBERNETES_ROLE, 'schema-migrator');
      equal(environment.POSTGRES_SSL_MODE, 'verify-full');
      for (const variable of Object.keys(environment)) ok(!/PASSWORD|TOKEN$|_USER/.test(variable), variable);
    },
    mutations: [
      ofMigration((name) => withoutManifest('Job', name), 'no Job'),
      ofMigration(
        (name) => changed('Job', name, `${POD}.serviceAccountName`, 'orchestrator-dynamic'),
        'another account',
      ),
      ofMigration((name) => without('Job', name, `${POD}.volumes.name=vault-token`), 'no token'),
      ofMigration((name) => without('Job', name, 'spec.activeDeadlineSeconds'), 'no deadline'),
      ofMigration((name) => without('Job', name, `${POD}.securityContext`), 'no security context'),
      ofMigration(
        (name) => changed('Job', name, `${POD}.containers.name=migrate.env.0.name`, 'POSTGRES_PASSWORD'),
        'a password',
      ),
      withoutManifest('ServiceAccount', 'schema-migrator'),
    ],
  },
];

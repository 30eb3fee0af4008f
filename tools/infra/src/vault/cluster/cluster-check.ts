import { installOpenBao, OPEN_BAO_WITH_AWSKMS, startMoto } from '@neural-hive/real-stack';
import type { Check, CheckContext } from '../../check.ts';
import { Helm } from '../../helm.ts';
import type { Manifests } from '../../manifests.ts';
import { SERVICE_NAMES, production as serviceProduction } from '../../services/service-charts.ts';
import { merged, production } from '../installation.ts';
import { OPEN_BAO } from '../variants.ts';
import { AGENT_STEP } from './agent-step.ts';
import { Account } from './aws.ts';
import { startDatabase } from './database.ts';
import { FIRST_STEPS } from './first-steps.ts';
import { Identities } from './identities.ts';
import { LATER_STEPS } from './later-steps.ts';
import { runSteps } from './trial.ts';
import { VaultCluster } from './vault-cluster.ts';

const ACTIONS = ['kms:*', 'secretsmanager:*', 's3:*'];
const SECRETS = ['neural-hive/vault/unseal-keys', 'neural-hive/vault/root-token'];
const BUCKET = 'neural-hive-vault-snapshots';
const AUDIT_BUCKET = 'neural-hive-vault-audit-logs';

async function run({ root, report, progress }: CheckContext): Promise<void> {
  const helm = await Helm.open();
  const installed = process.env.BAO_AWSKMS_BINARY;
  const program = installed ?? (await installOpenBao({ version: OPEN_BAO_WITH_AWSKMS, log: progress }));
  await using kms = await startMoto({ actions: ACTIONS, log: () => {} });
  const { endpoint } = kms;
  const values = {
    // There is no pod to label here.
    server: { serviceRegistration: false },
    aws: {
      region: kms.region,
      webIdentity: 'none',
      endpoints: { kms: endpoint, secretsManager: endpoint, s3: endpoint, sts: endpoint },
    },
    seal: { awskms: { kmsKeyId: kms.kmsKeyId } },
    bootstrap: { parametersSecret: 'vault-parameters' },
  };
  const manifests = await helm.render(production(root, merged(OPEN_BAO, values)));
  const services = await injectedServices(helm, root);
  await using identities = await Identities.start(manifests, Object.values(services));
  const database = await startDatabase();
  await using _ = database.server;
  const account = new Account(kms);
  for (const secret of SECRETS) await account.createSecret(secret);
  for (const bucket of [BUCKET, AUDIT_BUCKET]) await account.createBucket(bucket);
  await using cluster = await VaultCluster.prepare({ manifests, program, kms, log: () => {} });
  const shared = { root, manifests, cluster, account, identities, database, services, program, kms, rootToken: '' };
  await runSteps(
    [...FIRST_STEPS, AGENT_STEP, ...LATER_STEPS],
    { ...shared, bucket: BUCKET, auditBucket: AUDIT_BUCKET },
    report,
    progress,
  );
  account.close();
}

/** The services as their charts render them with `vault.mode=agent`. */
export async function injectedServices(helm: Helm, root: string): Promise<Readonly<Record<string, Manifests>>> {
  const rendered = await Promise.all(
    SERVICE_NAMES.map(async (name) => {
      const options = serviceProduction(root, name, { vault: { mode: 'agent' } });
      return [name, await helm.render(options)] as const;
    }),
  );
  return Object.fromEntries(rendered);
}

export const vaultClusterCheck: Check = {
  name: 'vault-cluster',
  what: 'real OpenBao 2.6 with a KMS key of moto: the rendered configuration, Jobs and side-cars, failures, restore',
  run,
};

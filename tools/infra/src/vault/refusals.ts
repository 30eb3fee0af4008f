import type { Report } from '../check.ts';
import type { Helm } from '../helm.ts';
import { judgeCoverage } from '../refusal-coverage.ts';
import { development, merged, production, vaultChart } from './installation.ts';
import { OPEN_BAO } from './variants.ts';

interface Refusal {
  /** Values over those of the production profile, or of the development one. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly profile?: 'dev';
  readonly namespace?: string;
  /** The value's name and what to do, in what the chart says. */
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  { values: { aws: { region: '' } }, says: /aws\.region is empty with seal\.type=awskms: set it .* us-east-1/ },
  { values: { aws: { region: 'Frankfurt' } }, says: /\/aws\/region/ },
  { values: { seal: { awskms: { kmsKeyId: '' } } }, says: /seal\.awskms\.kmsKeyId is empty: set it to terraform/ },
  {
    values: { seal: { awskms: { kmsKeyId: 'arn:aws:kms:eu-west-1:123456789012:key/a' } } },
    says: /seal\.awskms\.kmsKeyId is a key of eu-west-1 and aws\.region is us-east-1: name the same region/,
  },
  { values: { seal: { type: 'shamir' } }, says: /seal\.type is shamir: production unseals by itself.*set awskms/ },
  { values: { seal: { type: 'shamir' } }, says: /seal\.awskms\.kmsKeyId is set with seal\.type=shamir/ },
  {
    values: { init: { enabled: true } },
    profile: 'dev',
    says: /init\.enabled is true with seal\.type=shamir: .*set init\.enabled=false/,
  },
  {
    values: merged(OPEN_BAO, { server: { version: '2.7.2' } }),
    says: /server\.version is 2\.7\.2: OpenBao from 2\.7 on has no awskms seal built in; use 2\.6\.x/,
  },
  { values: merged(OPEN_BAO, { server: { version: '2.7.0-beta1' } }), says: /server\.version is 2\.7\.0-beta1/ },
  { values: { server: { replicas: 2 } }, says: /\/server\/replicas.*one of 1, 3, 5, 7/ },
  { values: { server: { replicas: 4 } }, says: /\/server\/replicas/ },
  { values: { server: { replicas: 1 } }, says: /server\.replicas is 1: production needs 3 or more/ },
  { values: { tls: { enabled: false } }, says: /tls\.enabled is false: production serves TLS; set it to true/ },
  {
    values: { tls: { certificate: { issuerRef: { name: '' } } } },
    says: /tls\.certificate\.issuerRef\.name is empty: name the cert-manager issuer/,
  },
  {
    values: { audit: { file: { enabled: false }, stdout: { enabled: false }, shipper: { enabled: false } } },
    says: /audit\.file\.enabled and audit\.stdout\.enabled are false: production keeps an audit log/,
  },
  {
    values: { audit: { file: { enabled: false } } },
    says: /audit\.shipper\.enabled is true and audit\.file\.enabled false/,
  },
  { values: { audit: { shipper: { bucket: '' } } }, says: /audit\.shipper\.bucket is empty .*audit_logs_bucket_name/ },
  {
    values: { server: { raft: { autopilot: { minQuorum: 5 } } } },
    says: /server\.raft\.autopilot\.minQuorum is 5 with server\.replicas=3/,
  },
  {
    values: { server: { preStopSleepSeconds: 55 } },
    says: /server\.terminationGracePeriodSeconds is 60: it must be more than server\.preStopSleepSeconds/,
  },
  {
    values: { server: { serviceAccount: { roleArn: '' } } },
    says: /server\.serviceAccount\.roleArn is empty: set it to terraform's output vault_server_role_arn/,
  },
  { values: { init: { serviceAccount: { roleArn: '' } } }, says: /init\.serviceAccount\.roleArn is empty/ },
  { values: { snapshot: { serviceAccount: { roleArn: '' } } }, says: /snapshot\.serviceAccount\.roleArn is empty/ },
  { values: { server: { serviceAccount: { roleArn: 'vault' } } }, says: /\/server\/serviceAccount\/roleArn/ },
  {
    values: { init: { serviceAccount: { roleArn: 'arn:aws:iam::123456789012:role/neural-hive-vault-server' } } },
    says: /init\.serviceAccount\.roleArn equals server\.serviceAccount\.roleArn: the servers must not reach the root token/,
  },
  { values: { init: { serviceAccount: { name: 'vault-server' } } }, says: /init\.serviceAccount\.name equals server/ },
  { values: { init: { secrets: { rootToken: '' } } }, says: /init\.secrets\.rootToken is empty: set it/ },
  { values: { init: { recoveryThreshold: 6 } }, says: /init\.recoveryThreshold is 6 with init\.recoveryShares=5/ },
  {
    values: { snapshot: { bucket: '' } },
    says: /snapshot\.bucket is empty: set it .* or set snapshot\.enabled=false/,
  },
  {
    values: { server: { authDelegator: false } },
    says: /server\.authDelegator is false with init or bootstrap enabled/,
  },
  { values: {}, namespace: 'secrets', says: /bootstrap\.enabled is true in namespace secrets: .*namespace vault/ },
  {
    values: { clientNamespaces: ['vault'] },
    says: /clientNamespaces has vault or kube-system with injector\.failurePolicy=Fail/,
  },
  { values: { clientNamespaces: ['kube-system'] }, says: /clientNamespaces has vault or kube-system/ },
  { values: { clientNamespaces: [] }, says: /clientNamespaces is empty with injector\.enabled=true/ },
  { values: { networkPolicy: { apiServer: { cidrs: [] } } }, says: /networkPolicy\.apiServer\.cidrs is empty: set it/ },
  { values: { networkPolicy: { aws: { cidrs: [] } } }, says: /networkPolicy\.aws\.cidrs is empty: set it/ },
  { values: { networkPolicy: { aws: { cidrs: ['10.0.0.0'] } } }, says: /\/networkPolicy\/aws\/cidrs\/0/ },
  {
    values: { networkPolicy: { databases: [{ name: 'postgres', port: 5432 }] } },
    says: /networkPolicy\.databases\[0\] has neither namespace nor cidrs: say where postgres is/,
  },
  { values: { server: { replica: 3 } }, says: /\/server'?: additional properties 'replica' not allowed/ },
  { values: { server: { dataStorage: { size: 'ten' } } }, says: /\/server\/dataStorage\/size/ },
  { values: { injector: { timeoutSeconds: 30 } }, says: /\/injector\/timeoutSeconds/ },
];

/** Each is refused with the value's name and the fix, and the same profile without it is not. */
export async function judgeRefusals(helm: Helm, root: string, report: Report): Promise<void> {
  const accepted = await helm.refusal(production(root));
  if (accepted !== undefined) report.failed('refusals', `the profile itself is refused: ${accepted}`);
  const answers: string[] = [];
  for (const { values, profile, namespace, says } of REFUSALS) {
    const point = `refuses ${JSON.stringify(values)}`;
    const options = profile === 'dev' ? development(root, values) : production(root, values);
    const said = await helm.refusal(namespace === undefined ? options : { ...options, namespace });
    answers.push(said ?? '');
    if (said === undefined) report.failed(point, 'it is accepted');
    else if (says.test(said)) report.passed(point);
    else report.failed(point, `it says something else: ${said}`);
  }
  judgeCoverage([vaultChart(root)], answers, report);
}

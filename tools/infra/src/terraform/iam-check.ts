import { join, resolve } from 'node:path';
import { installMoto } from '@neural-hive/real-stack';
import { z } from 'zod';
import type { Check, CheckContext } from '../check.ts';
import { runToEnd } from '../command.ts';
import { InfraError } from '../infra-error.ts';
import { ACCESS, type AccessRow } from './iam-table.ts';
import { documentsOf, permissionsOf, type Statement, text } from './planned-iam.ts';
import type { TestedResource } from './test-report.ts';
import { Workspace } from './workspace.ts';

const JUDGE = resolve(import.meta.dirname, '..', '..', 'iam', 'judge.py');
const MODULE = 'modules/vault-ha';
const FILE = 'tests/plan.tftest.hcl';
/** The one of the tests' plans that has everything in it. */
const RUN = `${FILE}: operators_read_and_nobody_else`;

const ACCOUNT = 'arn:aws:iam::111122223333:root';
const OPERATOR = 'arn:aws:iam::111122223333:role/people/vault-operators';
const EVERYTHING: Statement = { Effect: 'Allow', Action: '*', Resource: '*' };
const ISSUER = 'oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789';
const VAULT_ROLES = ['vault-server', 'vault-init', 'vault-snapshot'] as const;

const verdict = z.object({ refused: z.array(z.string().nullable()), allowed: z.array(z.boolean()) });
type Verdict = z.infer<typeof verdict>;

interface Question {
  readonly point: string;
  readonly expected: boolean;
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string>>;
  readonly principal: string | null;
  readonly account: string;
  readonly identity: readonly Statement[];
  readonly attached: readonly Statement[];
  readonly key: boolean;
}

interface Place {
  readonly arn: string;
  /** The policy that stands at the resource itself. */
  readonly policy?: string;
}

function placesIn(plan: readonly TestedResource[]): Readonly<Record<AccessRow['on'], Place>> {
  const secret = (name: string): Place => ({
    arn: text(plan, `aws_secretsmanager_secret.this["${name}"]`, 'arn'),
    policy: `aws_secretsmanager_secret_policy.this["${name}"]`,
  });
  const bucket = (name: string): Place => ({
    arn: `${text(plan, `aws_s3_bucket.this["${name}"]`, 'arn')}/2026/object`,
    policy: `aws_s3_bucket_policy.this["${name}"]`,
  });
  return {
    'unseal-key': { arn: text(plan, 'aws_kms_key.unseal', 'arn'), policy: 'aws_kms_key.unseal' },
    'storage-key': { arn: text(plan, 'aws_kms_key.storage', 'arn'), policy: 'aws_kms_key_policy.storage' },
    'root-token': secret('root-token'),
    'recovery-keys': secret('unseal-keys'),
    'audit-logs': bucket('audit-logs'),
    snapshots: bucket('snapshots'),
    another: { arn: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:payroll-AbCdEf' },
  };
}

function accessQuestions(plan: readonly TestedResource[]): Question[] {
  const places = placesIn(plan);
  const documents = documentsOf(plan);
  const principals: Readonly<Record<AccessRow['who'], string>> = {
    ...Object.fromEntries(VAULT_ROLES.map((role) => [role, text(plan, `aws_iam_role.this["${role}"]`, 'arn')])),
    operator: OPERATOR,
    administrator: 'arn:aws:iam::111122223333:role/administrator',
  } as Record<AccessRow['who'], string>;
  return ACCESS.map((row): Question => {
    const { who, action, on, through, allowed: expected } = row;
    const { arn: resource, policy } = places[on];
    const attached = documents.find(({ address }) => address === policy)?.statements ?? [];
    return {
      ...{ point: `${who} ${action} ${on}${through === undefined ? '' : ` by ${through.join(' of ')}`}`, expected },
      ...{ action, resource, context: contextOf(through, places), principal: principals[who], account: ACCOUNT },
      identity: who === 'operator' ? [] : who === 'administrator' ? [EVERYTHING] : permissionsOf(who, plan),
      // moto knows equality only; the conditions of what a bucket forbids are compared as texts by the module's own tests.
      attached: attached.filter(({ Condition = {} }) => Object.keys(Condition).every((one) => one === 'StringEquals')),
      key: action.startsWith('kms:'),
    };
  });
}

function contextOf(through: AccessRow['through'], places: ReturnType<typeof placesIn>): Question['context'] {
  if (through === undefined) return { 'kms:ViaService': 'none', 'kms:EncryptionContext:SecretARN': 'none' };
  const [service, on] = through;
  const key = service === 's3' ? 'kms:EncryptionContext:aws:s3:arn' : 'kms:EncryptionContext:SecretARN';
  const arn = places[on].arn.replace(/\/2026\/object$/, '');
  // A key that the request does not have must not pass for one that fits.
  const none = { 'kms:EncryptionContext:aws:s3:arn': 'none', 'kms:EncryptionContext:SecretARN': 'none' };
  return { ...none, [key]: arn, 'kms:ViaService': `${service}.eu-central-1.amazonaws.com` };
}

/** Each role is assumed by its own service account only. */
function trustQuestions(plan: readonly TestedResource[]): Question[] {
  const subjects = [...VAULT_ROLES.map((role) => `vault:${role}`), 'default:vault-server', 'vault:default'];
  const documents = documentsOf(plan);
  return VAULT_ROLES.flatMap((role) => {
    const trust = documents.find(({ address }) => address === `aws_iam_role.this["${role}"]`)?.statements ?? [];
    const ask = (subject: string, audience: string, expected: boolean): Question => ({
      ...{
        point: `${role} is assumed by ${subject} for ${audience}`,
        expected,
        action: 'sts:AssumeRoleWithWebIdentity',
      },
      ...{ resource: '*', principal: null, account: ACCOUNT, identity: trust, attached: [], key: false },
      context: { [`${ISSUER}:aud`]: audience, [`${ISSUER}:sub`]: `system:serviceaccount:${subject}` },
    });
    return [
      ...subjects.map((subject) => ask(subject, 'sts.amazonaws.com', subject === `vault:${role}`)),
      ask(`vault:${role}`, 'vault.neural-hive.local', false),
    ];
  });
}

async function judge(order: object): Promise<Verdict> {
  const python = process.env.MOTO_PYTHON ?? (await installMoto());
  const env = { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' };
  const said = await runToEnd(python, [JUDGE], { input: JSON.stringify(order), env, what: 'The judgement of moto' });
  return verdict.parse(JSON.parse(said));
}

function tell({ report }: CheckContext, point: string, why: string | undefined): void {
  if (why === undefined) report.passed(point);
  else report.failed(point, why);
}

export const iamCheck: Check = {
  name: 'iam',
  what: 'gives the planned IAM documents to moto, which must accept them and allow and deny as the table says',
  async run(context) {
    using workspace = await Workspace.open(join(context.root, 'infrastructure', 'terraform'), context.progress);
    await workspace.run(['init', '-no-color'], MODULE);
    const { plans, problems } = await workspace.test(MODULE, { file: FILE, verbose: true });
    const plan = plans.get(RUN);
    if (plan === undefined) throw new InfraError('tool_failed', problems[0] ?? `there is no run ${RUN}`);
    const documents = documentsOf(plan);
    const questions = [...accessQuestions(plan), ...trustQuestions(plan)];
    const misspelt = { kind: 'identity', document: '{"Version":"2012-10-17","Statement":[{"Efect":"Allow"}]}' };
    const { refused, allowed } = await judge({ accept: [...documents, misspelt], ask: questions });

    for (const [index, { address }] of documents.entries()) {
      tell(context, `${address} is accepted`, refused[index] ?? undefined);
    }
    tell(context, 'a misspelt document is refused', refused.at(-1) ? undefined : 'moto took it');
    for (const [index, { point, expected }] of questions.entries()) {
      const given = allowed[index] === true;
      tell(context, point, given === expected ? undefined : `is ${given ? 'allowed' : 'denied'}`);
    }
  },
};

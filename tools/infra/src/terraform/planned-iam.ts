import { z } from 'zod';
import type { TestedResource } from './test-report.ts';

const statement = z.looseObject({
  Effect: z.enum(['Allow', 'Deny']),
  Condition: z.record(z.string(), z.unknown()).optional(),
});
const policyDocument = z.object({ Statement: z.array(statement) });

export type Statement = z.infer<typeof statement>;

export type DocumentKind = 'identity' | 'trust' | 'key' | 'bucket' | 'secret';

/** One policy document of a plan. */
export interface PlannedDocument {
  readonly kind: DocumentKind;
  /** Address of the resource that it is written in. */
  readonly address: string;
  readonly document: string;
  readonly statements: readonly Statement[];
}

const WRITTEN_IN: Readonly<Record<string, readonly [DocumentKind, string]>> = {
  aws_iam_policy: ['identity', 'policy'],
  aws_iam_role: ['trust', 'assume_role_policy'],
  aws_kms_key: ['key', 'policy'],
  aws_kms_key_policy: ['key', 'policy'],
  aws_s3_bucket_policy: ['bucket', 'policy'],
  aws_secretsmanager_secret_policy: ['secret', 'policy'],
};

/** Every IAM document that the plan makes. */
export function documentsOf(plan: readonly TestedResource[]): PlannedDocument[] {
  return plan.flatMap(({ address, type, values }) => {
    const [kind, attribute] = WRITTEN_IN[type] ?? [];
    const document = attribute === undefined ? undefined : values[attribute];
    if (kind === undefined || typeof document !== 'string') return [];
    return [{ kind, address, document, statements: policyDocument.parse(JSON.parse(document)).Statement }];
  });
}

/** The permissions of the role of a service account: those of the policies that are attached to it. */
export function permissionsOf(serviceAccount: string, plan: readonly TestedResource[]): Statement[] {
  const name = text(plan, `aws_iam_role.this["${serviceAccount}"]`, 'name');
  const attached = plan.filter(({ type, values }) => type === 'aws_iam_role_policy_attachment' && values.role === name);
  const keys = attached.map(({ address }) => address.replace(/^.*\["/, '').replace(/"\]$/, ''));
  return documentsOf(plan)
    .filter(({ address }) => keys.some((key) => address === `aws_iam_policy.this["${key}"]`))
    .flatMap(({ statements }) => statements);
}

/** An attribute of a planned resource. @throws RangeError where it is not planned as a text */
export function text(plan: readonly TestedResource[], address: string, attribute: string): string {
  const value = plan.find((resource) => resource.address === address)?.values[attribute];
  if (typeof value !== 'string') throw new RangeError(`The plan has no ${attribute} of ${address}`);
  return value;
}

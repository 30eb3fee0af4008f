/** A request to AWS and whether it must be allowed. */
export interface AccessRow {
  /** A service account with a role, an operator, or an administrator: an IAM policy that allows everything. */
  readonly who: 'vault-server' | 'vault-init' | 'vault-snapshot' | 'operator' | 'administrator';
  readonly action: string;
  readonly on: 'unseal-key' | 'storage-key' | 'root-token' | 'recovery-keys' | 'audit-logs' | 'snapshots' | 'another';
  /** For the storage key: the service that asks for it, and on behalf of what. */
  readonly through?:
    | readonly ['secretsmanager', 'root-token' | 'another']
    | readonly ['s3', 'audit-logs' | 'snapshots'];
  readonly allowed: boolean;
}

const rows = (
  who: AccessRow['who'],
  allowed: boolean,
  ...requests: readonly (readonly [string, AccessRow['on'], AccessRow['through']?])[]
): AccessRow[] =>
  requests.map(([action, on, through]) => ({
    who,
    action,
    on,
    allowed,
    ...(through === undefined ? {} : { through }),
  }));

/** Who may do what, as a table: what is not in the first block of somebody is refused to them. */
export const ACCESS: readonly AccessRow[] = [
  ...rows(
    'vault-server',
    true,
    ['kms:Encrypt', 'unseal-key'],
    ['kms:Decrypt', 'unseal-key'],
    ['kms:DescribeKey', 'unseal-key'],
    ['s3:PutObject', 'audit-logs'],
    ['kms:GenerateDataKey', 'storage-key', ['s3', 'audit-logs']],
  ),
  ...rows(
    'vault-server',
    false,
    ['kms:ScheduleKeyDeletion', 'unseal-key'],
    ['kms:PutKeyPolicy', 'unseal-key'],
    ['kms:CreateGrant', 'unseal-key'],
    ['secretsmanager:GetSecretValue', 'root-token'],
    ['secretsmanager:GetSecretValue', 'recovery-keys'],
    ['secretsmanager:PutSecretValue', 'root-token'],
    ['kms:Decrypt', 'storage-key', ['secretsmanager', 'root-token']],
    ['kms:Decrypt', 'storage-key', ['s3', 'snapshots']],
    ['s3:GetObject', 'audit-logs'],
    ['s3:DeleteObject', 'audit-logs'],
    ['s3:DeleteObjectVersion', 'audit-logs'],
    ['s3:PutObject', 'snapshots'],
    ['s3:PutObject', 'another'],
  ),
  ...rows(
    'vault-init',
    true,
    ['secretsmanager:PutSecretValue', 'root-token'],
    ['secretsmanager:PutSecretValue', 'recovery-keys'],
    ['kms:GenerateDataKey', 'storage-key', ['secretsmanager', 'root-token']],
  ),
  ...rows(
    'vault-init',
    false,
    ['secretsmanager:GetSecretValue', 'root-token'],
    ['secretsmanager:GetSecretValue', 'recovery-keys'],
    ['secretsmanager:DeleteSecret', 'root-token'],
    ['secretsmanager:PutResourcePolicy', 'root-token'],
    ['secretsmanager:PutSecretValue', 'another'],
    ['kms:GenerateDataKey', 'storage-key', ['secretsmanager', 'another']],
    ['kms:GenerateDataKey', 'storage-key', ['s3', 'snapshots']],
    ['kms:Decrypt', 'unseal-key'],
    ['s3:PutObject', 'audit-logs'],
  ),
  ...rows(
    'vault-snapshot',
    true,
    ['s3:PutObject', 'snapshots'],
    ['s3:AbortMultipartUpload', 'snapshots'],
    ['kms:GenerateDataKey', 'storage-key', ['s3', 'snapshots']],
    ['kms:Decrypt', 'storage-key', ['s3', 'snapshots']],
  ),
  ...rows(
    'vault-snapshot',
    false,
    ['s3:GetObject', 'snapshots'],
    ['s3:DeleteObject', 'snapshots'],
    ['s3:PutObject', 'audit-logs'],
    ['kms:Decrypt', 'storage-key', ['s3', 'audit-logs']],
    ['kms:Decrypt', 'unseal-key'],
    ['secretsmanager:GetSecretValue', 'root-token'],
  ),
  ...rows(
    'operator',
    true,
    ['secretsmanager:GetSecretValue', 'root-token'],
    ['secretsmanager:GetSecretValue', 'recovery-keys'],
    ['kms:Decrypt', 'storage-key', ['secretsmanager', 'root-token']],
    ['s3:GetObject', 'snapshots'],
    ['s3:GetObject', 'audit-logs'],
  ),
  ...rows(
    'operator',
    false,
    ['kms:Decrypt', 'unseal-key'],
    ['kms:ScheduleKeyDeletion', 'unseal-key'],
    ['s3:DeleteObject', 'audit-logs'],
    ['secretsmanager:PutSecretValue', 'root-token'],
  ),
  ...rows('administrator', true, ['kms:DescribeKey', 'unseal-key'], ['kms:PutKeyPolicy', 'unseal-key']),
  ...rows(
    'administrator',
    false,
    ['kms:Decrypt', 'unseal-key'],
    ['kms:Encrypt', 'unseal-key'],
    ['kms:CreateGrant', 'unseal-key'],
    // Without it the values of the secrets cannot be read, whatever Secrets Manager would allow.
    ['kms:Decrypt', 'storage-key', ['secretsmanager', 'root-token']],
    ['kms:Decrypt', 'storage-key', ['s3', 'snapshots']],
  ),
];

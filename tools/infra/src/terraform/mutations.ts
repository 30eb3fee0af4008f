/** A change of a module's code that its tests have to notice. */
export interface CodeMutation {
  readonly what: string;
  readonly module: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Of the module; where there is none, `terraform validate` has to refuse the change by itself. */
  readonly test?: string;
}

const VAULT = 'modules/vault-ha';
const plan = { module: VAULT, test: 'tests/plan.tftest.hcl' };
const refusals = { module: VAULT, test: 'tests/refusals.tftest.hcl' };

export const CODE_MUTATIONS: readonly CodeMutation[] = [
  {
    ...{ what: 'an argument with a misspelt name', module: VAULT, file: 'kms.tf' },
    ...{ from: 'deletion_window_in_days', to: 'deletion_window_in_day' },
  },
  {
    ...{ what: 'an attribute that does not exist', module: VAULT, file: 'outputs.tf' },
    ...{ from: 'aws_kms_key.unseal.key_id', to: 'aws_kms_key.unseal.keyid' },
  },
  {
    ...{ what: 'a key that does not rotate', file: 'kms.tf', ...plan },
    ...{ from: 'enable_key_rotation     = true', to: 'enable_key_rotation     = false' },
  },
  {
    ...{ what: 'trust without an audience', file: 'roles.tf', ...plan },
    ...{ from: ':aud" = "sts.amazonaws.com"', to: ':amr" = "authenticated"' },
  },
  {
    ...{ what: 'trust by pattern', file: 'roles.tf', ...plan },
    ...{ from: 'StringEquals = {\n', to: 'StringLike = {\n' },
  },
  {
    ...{ what: 'an init job that reads what it stored', file: 'roles.tf', ...plan },
    ...{
      from: '"secretsmanager:PutSecretValue"',
      to: '"secretsmanager:PutSecretValue", "secretsmanager:GetSecretValue"',
    },
  },
  {
    ...{ what: 'servers that store the secrets', file: 'roles.tf', ...plan },
    ...{ from: 'role        = "vault-init"', to: 'role        = "vault-server"' },
  },
  {
    ...{ what: 'an account that may use the keys', file: 'kms.tf', ...plan },
    ...{ from: '"kms:ScheduleKeyDeletion",', to: '"kms:ScheduleKeyDeletion",\n      "kms:Decrypt",' },
  },
  {
    ...{ what: 'secrets under the unseal key', file: 'secrets.tf', ...plan },
    ...{ from: 'aws_kms_key.storage.arn', to: 'aws_kms_key.unseal.arn' },
  },
  {
    ...{ what: 'secrets that Vault may read if it is let', file: 'secrets.tf', ...plan },
    ...{ from: 'Effect    = "Deny"', to: 'Effect    = "Allow"' },
  },
  {
    ...{ what: 'buckets that may become public', file: 'buckets.tf', ...plan },
    ...{ from: 'restrict_public_buckets = true', to: 'restrict_public_buckets = false' },
  },
  {
    ...{ what: 'buckets without versions', file: 'buckets.tf', ...plan },
    ...{ from: 'status = "Enabled"\n  }\n}', to: 'status = "Suspended"\n  }\n}' },
  },
  {
    ...{ what: 'buckets that are read without TLS', file: 'buckets.tf', ...plan },
    ...{ from: 'Effect    = "Deny"', to: 'Effect    = "Allow"' },
  },
  {
    ...{ what: 'an issuer that is not compared with its provider', file: 'variables.tf', ...refusals },
    ...{ from: 'endswith(var.oidc_provider_arn', to: 'true || endswith(var.oidc_provider_arn' },
  },
  {
    ...{ what: 'any account', file: 'kms.tf', ...refusals },
    ...{ from: 'account_id == var.account_id', to: 'account_id != ""' },
  },
];

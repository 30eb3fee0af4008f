mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  cluster_name      = "nh-prod"
  region            = "eu-central-1"
  account_id        = "111122223333"
  oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789"
  oidc_provider_url = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_kms_key.unseal.enable_key_rotation && aws_kms_key.storage.enable_key_rotation
    error_message = "Both keys must rotate."
  }

  assert {
    condition     = aws_kms_alias.unseal.name == "alias/nh-prod-vault-unseal" && output.kms_key_alias == aws_kms_alias.unseal.name
    error_message = "The alias of the unseal key is <cluster>-vault-unseal."
  }

  assert {
    condition     = aws_kms_key.unseal.deletion_window_in_days == 30
    error_message = "A deleted key must be recoverable for 30 days."
  }

  assert {
    condition     = toset([for secret in aws_secretsmanager_secret.this : secret.name]) == toset(["nh-prod/vault/root-token", "nh-prod/vault/unseal-keys"])
    error_message = "The secrets are <cluster>/vault/root-token and <cluster>/vault/unseal-keys."
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == aws_kms_key.storage.arn])
    error_message = "Secrets lie under the storage key, which the servers cannot use for them."
  }

  assert {
    condition     = output.kms_key_id == aws_kms_key.unseal.key_id && output.vault_server_role_arn == aws_iam_role.this["vault-server"].arn && output.root_token_secret_arn == aws_secretsmanager_secret.this["root-token"].arn && output.audit_logs_bucket_name == "nh-prod-vault-audit-logs-111122223333"
    error_message = "The four outputs that the platform documents."
  }
}

run "roles_belong_to_one_service_account_each" {
  command = plan

  assert {
    condition = alltrue([for name, role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Federated = var.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789:sub" = "system:serviceaccount:vault:${name}"
          "oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789:aud" = "sts.amazonaws.com"
        }
      }
    }]])
    error_message = "Trust must name the subject and the audience, with equality."
  }

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["vault-server", "vault-init", "vault-snapshot"])
    error_message = "Only the three that need AWS have a role."
  }
}

run "policies_give_what_is_needed_and_no_more" {
  command = plan

  assert {
    condition = { for name, policy in aws_iam_policy.this : name => jsondecode(policy.policy).Statement } == {
      vault-kms-unseal = [{
        Effect   = "Allow"
        Action   = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]
        Resource = aws_kms_key.unseal.arn
      }]
      vault-secrets-write = [{
        Effect   = "Allow"
        Action   = ["secretsmanager:PutSecretValue"]
        Resource = [aws_secretsmanager_secret.this["root-token"].arn, aws_secretsmanager_secret.this["unseal-keys"].arn]
      }]
      vault-audit-logs-write = [{
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = "arn:aws:s3:::nh-prod-vault-audit-logs-111122223333/*"
      }]
      vault-snapshots-write = [{
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = "arn:aws:s3:::nh-prod-vault-snapshots-111122223333/*"
      }]
    }
    error_message = "Another permission than these needs a reason."
  }

  assert {
    condition = { for name, attachment in aws_iam_role_policy_attachment.this : name => attachment.role } == {
      vault-kms-unseal       = "nh-prod-vault-server"
      vault-audit-logs-write = "nh-prod-vault-server"
      vault-secrets-write    = "nh-prod-vault-init"
      vault-snapshots-write  = "nh-prod-vault-snapshot"
    }
    error_message = "A role has the permissions of its own work only."
  }

  assert {
    condition     = alltrue([for key in [aws_kms_key.unseal.policy, aws_kms_key_policy.storage.policy] : !anytrue([for action in jsondecode(key).Statement[0].Action : contains(["kms:*", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"], action)])])
    error_message = "The account administers the keys and cannot use them: otherwise any IAM policy could allow it."
  }
}

run "buckets_are_closed" {
  command = plan

  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.this : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets])
    error_message = "Nothing in them may be public."
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : one(versioning.versioning_configuration).status == "Enabled"])
    error_message = "Overwriting must keep what was there."
  }

  assert {
    condition     = alltrue([for configuration in aws_s3_bucket_server_side_encryption_configuration.this : one(one(configuration.rule).apply_server_side_encryption_by_default) == { sse_algorithm = "aws:kms", kms_master_key_id = aws_kms_key.storage.arn }])
    error_message = "Objects are encrypted under the storage key."
  }

  assert {
    condition     = alltrue([for policy in aws_s3_bucket_policy.this : [for statement in jsondecode(policy.policy).Statement : statement.Effect] == ["Deny", "Deny", "Deny", "Deny"]])
    error_message = "A bucket's policy only forbids, as long as there is no operator."
  }

  assert {
    condition     = one(one(aws_s3_bucket_lifecycle_configuration.this["audit-logs"].rule).expiration).days == 400 && one(one(aws_s3_bucket_lifecycle_configuration.this["snapshots"].rule).expiration).days == 35
    error_message = "What is kept has an end."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "A lock is opted into: it cannot be taken away."
  }
}

run "what_is_switched_off_is_not_there" {
  command = plan

  variables {
    enable_audit_logs = false
    enable_snapshots  = false
  }

  assert {
    condition     = length(aws_s3_bucket.this) == 0 && length(aws_s3_bucket_policy.this) == 0
    error_message = "No bucket."
  }

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["vault-server", "vault-init"]) && toset(keys(aws_iam_policy.this)) == toset(["vault-kms-unseal", "vault-secrets-write"])
    error_message = "And nobody who could write to one."
  }

  assert {
    condition     = output.audit_logs_bucket_name == null && output.snapshots_bucket_name == null && output.vault_snapshot_role_arn == null
    error_message = "Outputs of what is not there are null."
  }
}

run "logs_are_locked_when_asked" {
  command = plan

  variables {
    audit_log_lock_days = 365
  }

  assert {
    condition     = aws_s3_bucket.this["audit-logs"].object_lock_enabled && !aws_s3_bucket.this["snapshots"].object_lock_enabled
    error_message = "The lock is of the audit logs alone."
  }

  assert {
    condition     = [for retention in one(aws_s3_bucket_object_lock_configuration.this["audit-logs"].rule).default_retention : "${retention.mode} ${retention.days}"] == ["COMPLIANCE 365"]
    error_message = "Nobody may shorten it."
  }
}

run "operators_read_and_nobody_else" {
  command = plan

  variables {
    operator_role_arns = ["arn:aws:iam::111122223333:role/people/vault-operators"]
  }

  assert {
    condition     = alltrue([for policy in concat(values(aws_secretsmanager_secret_policy.this)[*].policy, values(aws_s3_bucket_policy.this)[*].policy, [aws_kms_key_policy.storage.policy]) : length([for statement in jsondecode(policy).Statement : statement if statement.Effect == "Allow" && try(tolist(statement.Principal.AWS), []) == var.operator_role_arns]) == 1])
    error_message = "Operators are let in to the secrets, the buckets and their key."
  }

  assert {
    condition     = alltrue([for policy in aws_secretsmanager_secret_policy.this : toset(jsondecode(policy.policy).Statement[0].Principal.AWS) == toset([for role in aws_iam_role.this : role.arn]) && jsondecode(policy.policy).Statement[0].Effect == "Deny"])
    error_message = "Vault's own roles are forbidden to read the secrets, whatever else they are given."
  }

  assert {
    condition     = !strcontains(aws_kms_key.unseal.policy, "vault-operators")
    error_message = "Operators cannot use the unseal key."
  }
}

run "alarms_when_there_is_a_topic" {
  command = plan

  variables {
    alarm_topic_arn = "arn:aws:sns:eu-central-1:111122223333:security"
  }

  assert {
    condition     = toset([for target in aws_cloudwatch_event_target.this : target.arn]) == toset([var.alarm_topic_arn])
    error_message = "Both alarms go to the topic."
  }

  assert {
    condition     = contains(jsondecode(aws_cloudwatch_event_rule.this["key-threatened"].event_pattern).detail.requestParameters.keyId, aws_kms_key.unseal.arn)
    error_message = "The alarm is about these keys."
  }
}

run "the_issuer_may_come_without_its_scheme" {
  command = plan

  variables {
    oidc_provider_url = "oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789"
  }

  assert {
    condition     = keys(jsondecode(aws_iam_role.this["vault-server"].assume_role_policy).Statement[0].Condition.StringEquals) == ["oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789:aud", "oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789:sub"]
    error_message = "Conditions name the issuer without https://."
  }
}

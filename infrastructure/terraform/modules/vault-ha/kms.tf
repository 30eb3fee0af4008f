locals {
  # The account administers a key and cannot use it. So no IAM policy of the account can allow its use: who may use it
  # stands in the key's policy alone.
  key_administration = {
    Sid       = "AdministrationByTheAccount"
    Effect    = "Allow"
    Principal = { AWS = "arn:${local.partition}:iam::${var.account_id}:root" }
    Action = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListKeyRotations",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    Resource = "*"
  }

  # What writes with the storage key, through which service, for what.
  storage_writers = concat(
    [{
      sid     = "SecretsByTheInitJob"
      role    = "vault-init"
      service = "secretsmanager"
      context = { "kms:EncryptionContext:SecretARN" = [for secret in aws_secretsmanager_secret.this : secret.arn] }
    }],
    [for name, bucket in aws_s3_bucket.this : {
      sid     = local.buckets[name].sid
      role    = local.buckets[name].writer
      service = "s3"
      # With bucket keys the context is the bucket, not the object.
      context = { "kms:EncryptionContext:aws:s3:arn" = [bucket.arn] }
    }],
  )

  storage_writer_statements = [for writer in local.storage_writers : {
    Sid       = writer.sid
    Effect    = "Allow"
    Principal = { AWS = aws_iam_role.this[writer.role].arn }
    # Uploads in parts and new versions of a secret decrypt the data key that they began with.
    Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
    Resource  = "*"
    Condition = { StringEquals = merge({ "kms:ViaService" = "${writer.service}.${var.region}.${local.dns_suffix}" }, writer.context) }
  }]

  storage_reader_statements = [for arns in [var.operator_role_arns] : {
    Sid       = "ReadingByOperators"
    Effect    = "Allow"
    Principal = { AWS = arns }
    Action    = ["kms:Decrypt"]
    Resource  = "*"
    Condition = { StringEquals = { "kms:ViaService" = [for service in ["secretsmanager", "s3"] : "${service}.${var.region}.${local.dns_suffix}"] } }
  } if length(arns) > 0]
}

resource "aws_kms_key" "unseal" {
  region                  = var.region
  description             = "Unseals Vault of ${var.cluster_name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_window_days
  tags                    = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.key_administration,
      {
        Sid       = "UnsealingByTheServers"
        Effect    = "Allow"
        Principal = { AWS = aws_iam_role.this["vault-server"].arn }
        Action    = local.unseal_actions
        Resource  = "*"
      },
    ]
  })

  lifecycle {
    # Whoever loses this key loses the data and every snapshot of it.
    prevent_destroy = true

    precondition {
      condition     = data.aws_caller_identity.current.account_id == var.account_id
      error_message = "The credentials are of account ${data.aws_caller_identity.current.account_id}, account_id says ${var.account_id}."
    }
  }
}

resource "aws_kms_alias" "unseal" {
  region        = var.region
  name          = "alias/${var.cluster_name}-vault-unseal"
  target_key_id = aws_kms_key.unseal.key_id
}

resource "aws_kms_key" "storage" {
  region                  = var.region
  description             = "Secrets, audit logs and snapshots of Vault of ${var.cluster_name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_window_days
  tags                    = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

# Apart from the key: its statements name the secrets and buckets that the key encrypts.
resource "aws_kms_key_policy" "storage" {
  region = var.region
  key_id = aws_kms_key.storage.key_id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.key_administration], local.storage_writer_statements, local.storage_reader_statements)
  })
}

resource "aws_kms_alias" "storage" {
  region        = var.region
  name          = "alias/${var.cluster_name}-vault-storage"
  target_key_id = aws_kms_key.storage.key_id
}

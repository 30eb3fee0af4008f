locals {
  unseal_actions = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]

  # Every permission of every role. A role has no other, and none of them reads what it writes.
  policies = merge(
    {
      vault-kms-unseal = {
        role        = "vault-server"
        description = "Seals and unseals with one key"
        statement   = { Action = local.unseal_actions, Resource = aws_kms_key.unseal.arn }
      }
      vault-secrets-write = {
        role        = "vault-init"
        description = "Stores the root token and the recovery keys, once"
        statement = {
          Action   = ["secretsmanager:PutSecretValue"]
          Resource = [for secret in aws_secretsmanager_secret.this : secret.arn]
        }
      }
    },
    { for name, bucket in local.buckets : "vault-${name}-write" => {
      role        = bucket.writer
      description = "Adds objects to the bucket of ${name}"
      statement = {
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = "${aws_s3_bucket.this[name].arn}/*"
      }
    } },
  )
}

resource "aws_iam_role" "this" {
  for_each = toset(local.service_accounts)

  name                 = "${var.cluster_name}-${each.key}"
  description          = "Kubernetes service account ${var.namespace}/${each.key} of ${var.cluster_name}"
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = var.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:sub" = "system:serviceaccount:${var.namespace}:${each.key}"
          "${local.issuer}:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name        = "${var.cluster_name}-${each.key}"
  description = each.value.description
  policy      = jsonencode({ Version = "2012-10-17", Statement = [merge({ Effect = "Allow" }, each.value.statement)] })
  tags        = local.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.policies

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = aws_iam_policy.this[each.key].arn
}

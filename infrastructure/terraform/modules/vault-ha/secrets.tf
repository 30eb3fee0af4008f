# Empty when they are made: the init job stores their values, so no value is ever in Terraform's state.
resource "aws_secretsmanager_secret" "this" {
  for_each = {
    root-token  = "Root token of the first start; revoked once Vault is set up"
    unseal-keys = "Recovery keys of Vault: they unlock nothing without the unseal key in KMS"
  }

  region                  = var.region
  name                    = "${var.cluster_name}/vault/${each.key}"
  description             = each.value
  kms_key_id              = aws_kms_key.storage.arn
  recovery_window_in_days = var.key_deletion_window_days
  tags                    = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_secretsmanager_secret_policy" "this" {
  for_each = aws_secretsmanager_secret.this

  region              = var.region
  secret_arn          = each.value.arn
  block_public_policy = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        # Whatever else is ever attached to the roles.
        Sid       = "NeverByVaultItself"
        Effect    = "Deny"
        Principal = { AWS = [for role in aws_iam_role.this : role.arn] }
        Action    = ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"]
        Resource  = "*"
      }],
      [for arns in [var.operator_role_arns] : {
        Sid       = "ReadingByOperators"
        Effect    = "Allow"
        Principal = { AWS = arns }
        Action    = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
        Resource  = "*"
      } if length(arns) > 0],
    )
  })
}

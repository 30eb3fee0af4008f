# Vault on an existing EKS cluster, with everything on: locked audit logs, snapshots, operators, alarms.
terraform {
  required_version = ">= 1.9.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }

  # State holds no secret, and is still what the next apply starts from: keep it somewhere shared, versioned and locked.
  # backend "s3" {
  #   bucket       = "<a bucket of yours>"
  #   key          = "neural-hive/vault"
  #   region       = "eu-central-1"
  #   use_lockfile = true
  # }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account_id]
}

locals {
  cluster_name = "neural-hive"
  region       = "eu-central-1"
  account_id   = "111122223333"
}

module "k8s-cluster" {
  source = "../../modules/k8s-cluster"

  cluster_name = local.cluster_name
  region       = local.region
}

# Not encrypted under alias/aws/sns: EventBridge may not use that key, and its messages would be lost.
resource "aws_sns_topic" "security" {
  name = "${local.cluster_name}-security"
}

resource "aws_sns_topic_policy" "security" {
  arn = aws_sns_topic.security.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.security.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

module "vault-ha" {
  source = "../../modules/vault-ha"

  cluster_name      = local.cluster_name
  region            = local.region
  account_id        = local.account_id
  oidc_provider_arn = module.k8s-cluster.oidc_provider_arn
  oidc_provider_url = module.k8s-cluster.oidc_issuer_url

  audit_log_lock_days = 365
  operator_role_arns  = ["arn:aws:iam::${local.account_id}:role/vault-operators"]
  alarm_topic_arn     = aws_sns_topic.security.arn
  tags                = { Team = "security" }
}

output "vault" {
  description = "What the values of the Vault chart name."
  value = {
    kms_key_id        = module.vault-ha.kms_key_id
    server_role_arn   = module.vault-ha.vault_server_role_arn
    init_role_arn     = module.vault-ha.vault_init_role_arn
    snapshot_role_arn = module.vault-ha.vault_snapshot_role_arn
    audit_logs_bucket = module.vault-ha.audit_logs_bucket_name
    snapshots_bucket  = module.vault-ha.snapshots_bucket_name
  }
}

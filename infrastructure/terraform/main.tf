provider "aws" {
  region              = var.aws_region
  allowed_account_ids = [var.aws_account_id]

  default_tags {
    tags = merge({ Environment = var.environment, ManagedBy = "terraform" }, var.tags)
  }
}

module "k8s-cluster" {
  source = "./modules/k8s-cluster"

  cluster_name = var.cluster_name
  region       = var.aws_region
}

module "vault-ha" {
  source = "./modules/vault-ha"

  cluster_name      = var.cluster_name
  region            = var.aws_region
  account_id        = var.aws_account_id
  oidc_provider_arn = module.k8s-cluster.oidc_provider_arn
  oidc_provider_url = module.k8s-cluster.oidc_issuer_url
  enable_audit_logs = var.enable_vault_audit_logs

  enable_snapshots   = var.enable_vault_snapshots
  operator_role_arns = var.vault_operator_role_arns
  alarm_topic_arn    = var.vault_alarm_topic_arn

  depends_on = [module.k8s-cluster]
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix
  issuer     = trimprefix(var.oidc_provider_url, "https://")
  tags       = merge(var.tags, { "neural-hive/component" = "vault", "neural-hive/cluster" = var.cluster_name })

  # Who logs in to AWS, by the name of its Kubernetes service account. The roles are called <cluster>-<service account>.
  service_accounts = concat(["vault-server", "vault-init"], var.enable_snapshots ? ["vault-snapshot"] : [])
}

mock_provider "aws" {
  override_during = plan

  override_data {
    target = module.k8s-cluster.data.aws_eks_cluster.this
    values = {
      status                    = "ACTIVE"
      endpoint                  = "https://ABCDEF.gr7.eu-central-1.eks.amazonaws.com"
      identity                  = [{ oidc = [{ issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789" }] }]
      kubernetes_network_config = [{ service_ipv4_cidr = "172.20.0.0/16" }]
    }
  }

  override_data {
    target = module.k8s-cluster.data.aws_iam_openid_connect_provider.this
    values = {
      arn            = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789"
      client_id_list = ["sts.amazonaws.com"]
    }
  }

  override_data {
    target = module.vault-ha.data.aws_caller_identity.current
    values = { account_id = "111122223333" }
  }

  override_resource {
    target = module.vault-ha.aws_kms_key.unseal
    values = { key_id = "11111111-1111-4111-8111-111111111111" }
  }

  override_resource {
    target = module.vault-ha.aws_iam_role.this["vault-server"]
    values = { arn = "arn:aws:iam::111122223333:role/nh-prod-vault-server" }
  }
}

variables {
  cluster_name   = "nh-prod"
  aws_region     = "eu-central-1"
  aws_account_id = "111122223333"
}

run "the_outputs_that_the_vault_chart_takes" {
  command = plan

  assert {
    condition     = output.vault_kms_key_id == "11111111-1111-4111-8111-111111111111"
    error_message = "vault_kms_key_id is the unseal key's."
  }

  assert {
    condition     = output.vault_server_role_arn == "arn:aws:iam::111122223333:role/nh-prod-vault-server"
    error_message = "vault_server_role_arn is the servers'."
  }

  assert {
    condition     = output.vault_audit_logs_bucket_name == "nh-prod-vault-audit-logs-111122223333"
    error_message = "Audit logs are on unless they are switched off."
  }
}

run "audit_logs_can_be_switched_off" {
  command = plan

  variables {
    enable_vault_audit_logs = false
  }

  assert {
    condition     = output.vault_audit_logs_bucket_name == null
    error_message = "enable_vault_audit_logs goes down to the module."
  }
}

run "an_environment_that_is_not_known" {
  command = plan

  variables {
    environment = "live"
  }

  expect_failures = [var.environment]
}

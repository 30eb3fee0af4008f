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

run "cluster_name_with_capitals" {
  command = plan

  variables {
    cluster_name = "Prod_Cluster"
  }

  expect_failures = [var.cluster_name]
}

run "cluster_name_that_is_too_long_for_a_bucket" {
  command = plan

  variables {
    cluster_name = "a-cluster-whose-name-is-longer-than-33"
  }

  expect_failures = [var.cluster_name]
}

run "region_that_is_a_zone" {
  command = plan

  variables {
    region = "eu-central-1a"
  }

  expect_failures = [var.region]
}

run "account_that_is_not_an_account" {
  command = plan

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "provider_that_is_an_url" {
  command = plan

  variables {
    oidc_provider_arn = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789"
  }

  expect_failures = [var.oidc_provider_arn]
}

run "provider_of_another_account" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::999999999999:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789"
  }

  expect_failures = [var.oidc_provider_arn]
}

run "issuer_of_another_cluster" {
  command = plan

  variables {
    oidc_provider_url = "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF"
  }

  expect_failures = [var.oidc_provider_url]
}

run "namespace_that_is_a_pattern" {
  command = plan

  variables {
    namespace = "*"
  }

  expect_failures = [var.namespace]
}

run "retention_below_what_is_billed" {
  command = plan

  variables {
    audit_log_retention_days = 30
  }

  expect_failures = [var.audit_log_retention_days]
}

run "lock_that_outlives_the_retention" {
  command = plan

  variables {
    audit_log_lock_days = 500
  }

  expect_failures = [var.audit_log_lock_days]
}

run "snapshots_that_are_not_kept" {
  command = plan

  variables {
    snapshot_retention_days = 0
  }

  expect_failures = [var.snapshot_retention_days]
}

run "operator_who_is_everybody" {
  command = plan

  variables {
    operator_role_arns = ["arn:aws:iam::111122223333:role/*"]
  }

  expect_failures = [var.operator_role_arns]
}

run "deletion_window_that_aws_refuses" {
  command = plan

  variables {
    key_deletion_window_days = 3
  }

  expect_failures = [var.key_deletion_window_days]
}

run "topic_that_is_no_topic" {
  command = plan

  variables {
    alarm_topic_arn = "security"
  }

  expect_failures = [var.alarm_topic_arn]
}

run "boundary_that_is_no_policy" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:role/x"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "tag_that_is_reserved" {
  command = plan

  variables {
    tags = { "aws:team" = "x" }
  }

  expect_failures = [var.tags]
}

run "credentials_of_another_account" {
  command = plan

  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "999999999999" }
  }

  expect_failures = [aws_kms_key.unseal]
}

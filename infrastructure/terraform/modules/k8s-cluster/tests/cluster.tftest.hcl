mock_provider "aws" {
  mock_data "aws_eks_cluster" {
    defaults = {
      status                    = "ACTIVE"
      endpoint                  = "https://ABCDEF.gr7.eu-central-1.eks.amazonaws.com"
      identity                  = [{ oidc = [{ issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789" }] }]
      kubernetes_network_config = [{ service_ipv4_cidr = "172.20.0.0/16" }]
    }
  }

  mock_data "aws_iam_openid_connect_provider" {
    defaults = {
      arn            = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF0123456789"
      client_id_list = ["sts.amazonaws.com"]
    }
  }
}

variables {
  cluster_name = "nh-prod"
  region       = "eu-central-1"
}

run "passes_on_what_the_cluster_says" {
  command = plan

  assert {
    condition     = data.aws_iam_openid_connect_provider.this.url == output.oidc_issuer_url
    error_message = "The provider is looked up by the cluster's own issuer."
  }

  assert {
    condition     = endswith(output.oidc_provider_arn, trimprefix(output.oidc_issuer_url, "https:/"))
    error_message = "Provider and issuer belong together."
  }
}

run "a_cluster_that_is_not_ready" {
  command = plan

  override_data {
    target = data.aws_eks_cluster.this
    values = { status = "CREATING" }
  }

  expect_failures = [data.aws_eks_cluster.this]
}

run "a_provider_that_does_not_take_service_accounts" {
  command = plan

  override_data {
    target = data.aws_iam_openid_connect_provider.this
    values = { client_id_list = ["somebody-else"] }
  }

  expect_failures = [data.aws_iam_openid_connect_provider.this]
}

run "a_name_that_eks_refuses" {
  command = plan

  variables {
    cluster_name = "two words"
  }

  expect_failures = [var.cluster_name]
}

run "a_zone_in_place_of_a_region" {
  command = plan

  variables {
    region = "eu-central-1a"
  }

  expect_failures = [var.region]
}

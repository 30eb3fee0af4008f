data "aws_eks_cluster" "this" {
  region = var.region
  name   = var.cluster_name

  lifecycle {
    postcondition {
      condition     = self.status == "ACTIVE"
      error_message = "The cluster ${var.cluster_name} is ${self.status}: wait until it is ACTIVE."
    }
  }
}

# Clusters are made without one; it is what lets their service accounts assume IAM roles.
data "aws_iam_openid_connect_provider" "this" {
  url = data.aws_eks_cluster.this.identity[0].oidc[0].issuer

  lifecycle {
    postcondition {
      condition     = contains(self.client_id_list, "sts.amazonaws.com")
      error_message = "The IAM OIDC provider of ${var.cluster_name} does not take the audience sts.amazonaws.com, which service accounts ask for."
    }
  }
}

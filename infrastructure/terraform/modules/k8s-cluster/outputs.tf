output "oidc_provider_arn" {
  description = "ARN of the cluster's IAM OIDC provider."
  value       = data.aws_iam_openid_connect_provider.this.arn
}

output "oidc_issuer_url" {
  description = "Issuer of the cluster's service account tokens."
  value       = data.aws_eks_cluster.this.identity[0].oidc[0].issuer
}

output "cluster_endpoint" {
  description = "URL of the cluster's API server."
  value       = data.aws_eks_cluster.this.endpoint
}

output "service_cidr" {
  description = "Addresses of the cluster's services. Network policies that let pods reach the API server name its endpoints, not these."
  value       = data.aws_eks_cluster.this.kubernetes_network_config[0].service_ipv4_cidr
}

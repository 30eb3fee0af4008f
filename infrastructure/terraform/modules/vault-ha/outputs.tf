output "kms_key_id" {
  description = "Id of the key that unseals Vault."
  value       = aws_kms_key.unseal.key_id
}

output "kms_key_arn" {
  description = "ARN of the key that unseals Vault."
  value       = aws_kms_key.unseal.arn
}

output "kms_key_alias" {
  description = "Alias of the key that unseals Vault."
  value       = aws_kms_alias.unseal.name
}

output "vault_server_role_arn" {
  description = "Role of the servers, for the annotation of the service account vault-server."
  value       = aws_iam_role.this["vault-server"].arn
}

output "vault_init_role_arn" {
  description = "Role of the init job, for the annotation of the service account vault-init."
  value       = aws_iam_role.this["vault-init"].arn
}

output "vault_snapshot_role_arn" {
  description = "Role of the snapshot job, for the annotation of the service account vault-snapshot. Null without snapshots."
  value       = try(aws_iam_role.this["vault-snapshot"].arn, null)
}

output "root_token_secret_arn" {
  description = "Secret that the init job stores the root token in."
  value       = aws_secretsmanager_secret.this["root-token"].arn
}

output "unseal_keys_secret_arn" {
  description = "Secret that the init job stores the recovery keys in."
  value       = aws_secretsmanager_secret.this["unseal-keys"].arn
}

output "audit_logs_bucket_name" {
  description = "Bucket of the audit logs. Null without audit logs."
  value       = try(aws_s3_bucket.this["audit-logs"].bucket, null)
}

output "audit_logs_bucket_arn" {
  description = "ARN of the bucket of the audit logs. Null without audit logs."
  value       = try(aws_s3_bucket.this["audit-logs"].arn, null)
}

output "snapshots_bucket_name" {
  description = "Bucket of the snapshots. Null without snapshots."
  value       = try(aws_s3_bucket.this["snapshots"].bucket, null)
}

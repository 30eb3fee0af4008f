output "vault_kms_key_id" {
  description = "Id of the key that unseals Vault."
  value       = module.vault-ha.kms_key_id
}

output "vault_server_role_arn" {
  description = "Role of the service account vault-server."
  value       = module.vault-ha.vault_server_role_arn
}

output "vault_init_role_arn" {
  description = "Role of the service account vault-init."
  value       = module.vault-ha.vault_init_role_arn
}

output "vault_snapshot_role_arn" {
  description = "Role of the service account vault-snapshot. Null without snapshots."
  value       = module.vault-ha.vault_snapshot_role_arn
}

output "vault_root_token_secret_arn" {
  description = "Secret that the init job stores the root token in."
  value       = module.vault-ha.root_token_secret_arn
}

output "vault_unseal_keys_secret_arn" {
  description = "Secret that the init job stores the recovery keys in."
  value       = module.vault-ha.unseal_keys_secret_arn
}

output "vault_audit_logs_bucket_name" {
  description = "Bucket of Vault's audit logs. Null without audit logs."
  value       = module.vault-ha.audit_logs_bucket_name
}

output "vault_snapshots_bucket_name" {
  description = "Bucket of the Raft snapshots. Null without snapshots."
  value       = module.vault-ha.snapshots_bucket_name
}

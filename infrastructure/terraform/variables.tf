variable "cluster_name" {
  description = "Name of the EKS cluster that Vault runs in. It must exist."
  type        = string
}

variable "aws_region" {
  description = "Region of the cluster and of everything that is made."
  type        = string
}

variable "aws_account_id" {
  description = "The account that is meant. Credentials of another one are refused."
  type        = string
}

variable "environment" {
  description = "Goes into the tags of everything."
  type        = string
  default     = "prod"

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "enable_vault_audit_logs" {
  description = "Whether there is a bucket for Vault's audit logs, and the servers may write to it."
  type        = bool
  default     = true
}

variable "enable_vault_snapshots" {
  description = "Whether there is a bucket for Raft snapshots, and a role that may write to it."
  type        = bool
  default     = true
}

variable "vault_operator_role_arns" {
  description = "IAM roles of the people who may read the root token and the recovery keys, fetch snapshots and read audit logs."
  type        = list(string)
  default     = []
}

variable "vault_alarm_topic_arn" {
  description = "SNS topic that is told when somebody endangers a key or reads the stored secrets. Null: no alarm."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

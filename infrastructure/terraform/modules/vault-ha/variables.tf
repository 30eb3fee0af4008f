variable "cluster_name" {
  description = "Name of the EKS cluster. Every name that the module gives begins with it."
  type        = string

  validation {
    # 33 characters leave room for the longest name, that of a bucket with the account in it, within 63.
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}[a-z0-9]$", var.cluster_name))
    error_message = "cluster_name must be 2 to 33 lower-case letters, digits and hyphens, and begin with a letter: bucket names are made of it."
  }
}

variable "region" {
  description = "Region of everything that the module makes, whatever the region of the provider is."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the code of an AWS region, such as eu-central-1."
  }
}

variable "account_id" {
  description = "The account that the module is meant for. Applying it in another one is refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account, as text: a number would lose leading zeros."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the IAM OIDC provider of the cluster."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must be the ARN of an IAM OIDC provider, arn:aws:iam::<account>:oidc-provider/<host and path>."
  }

  validation {
    condition     = try(split(":", var.oidc_provider_arn)[4], "") == var.account_id
    error_message = "oidc_provider_arn belongs to another account than account_id."
  }
}

variable "oidc_provider_url" {
  description = "Issuer of the cluster's service account tokens, with or without https://."
  type        = string

  validation {
    condition     = can(regex("^(https://)?[a-z0-9.-]+(/[A-Za-z0-9._/-]*[A-Za-z0-9])?$", var.oidc_provider_url))
    error_message = "oidc_provider_url must be an https URL without query and without a slash at its end."
  }

  validation {
    condition     = endswith(var.oidc_provider_arn, "/${trimprefix(var.oidc_provider_url, "https://")}")
    error_message = "oidc_provider_url and oidc_provider_arn name different issuers."
  }
}

variable "namespace" {
  description = "Kubernetes namespace of Vault. Its service accounts are vault-server, vault-init and vault-snapshot."
  type        = string
  default     = "vault"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be a Kubernetes name. It takes no patterns: whoever matches one would be Vault."
  }
}

variable "enable_audit_logs" {
  description = "Whether there is a bucket for audit logs, and the servers may write to it."
  type        = bool
  default     = true
}

variable "audit_log_retention_days" {
  description = "Days that an audit log is kept. From the 30th day on it lies in an archive class."
  type        = number
  default     = 400

  validation {
    condition     = floor(var.audit_log_retention_days) == var.audit_log_retention_days && var.audit_log_retention_days >= 120
    error_message = "audit_log_retention_days must be a whole number of days, 120 or more: the archive class that they enter after 30 days bills 90."
  }
}

variable "audit_log_lock_days" {
  description = "Days in which nobody can delete or overwrite an audit log, the account's root included. 0: no lock. Only while the bucket is made can it be turned on."
  type        = number
  default     = 0

  validation {
    condition     = floor(var.audit_log_lock_days) == var.audit_log_lock_days && var.audit_log_lock_days >= 0
    error_message = "audit_log_lock_days must be a whole number of days, 0 or more."
  }

  validation {
    condition     = var.audit_log_lock_days <= var.audit_log_retention_days
    error_message = "audit_log_lock_days is longer than audit_log_retention_days: logs would outlive their retention."
  }
}

variable "enable_snapshots" {
  description = "Whether there is a bucket for Raft snapshots, and a role that may write to it."
  type        = bool
  default     = true
}

variable "snapshot_retention_days" {
  description = "Days that a snapshot is kept."
  type        = number
  default     = 35

  validation {
    condition     = floor(var.snapshot_retention_days) == var.snapshot_retention_days && var.snapshot_retention_days >= 1
    error_message = "snapshot_retention_days must be a whole number of days, 1 or more."
  }
}

variable "operator_role_arns" {
  description = "IAM roles of the people who may read the root token and the recovery keys, fetch snapshots and read audit logs. Nobody else in the account can: the key's policy does not let IAM policies allow it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operator_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "operator_role_arns must be ARNs of IAM roles, without patterns: a policy's principal takes none."
  }
}

variable "key_deletion_window_days" {
  description = "Days between the order to delete a key, or a secret, and its end. Without the unseal key every snapshot is lost too."
  type        = number
  default     = 30

  validation {
    condition     = floor(var.key_deletion_window_days) == var.key_deletion_window_days && var.key_deletion_window_days >= 7 && var.key_deletion_window_days <= 30
    error_message = "key_deletion_window_days must be a whole number from 7 to 30: AWS takes no other."
  }
}

variable "alarm_topic_arn" {
  description = "SNS topic that is told when somebody disables or deletes a key, or reads the root token or the recovery keys. Needs CloudTrail, and a topic policy that lets events.amazonaws.com publish. Null: no alarm."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic, or null."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles. It must allow what the roles' policies and the keys' policies give. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null."
  }
}

variable "tags" {
  description = "Tags of every resource, beside those of the provider."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags must not begin with aws:, which is reserved."
  }
}

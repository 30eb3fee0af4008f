locals {
  # What nobody does by accident, as CloudTrail names it.
  alarms = var.alarm_topic_arn == null ? {} : {
    key-threatened = {
      description = "A key of Vault was disabled, is to be deleted, or has another policy"
      source      = "aws.kms"
      event       = "kms.amazonaws.com"
      names       = ["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy"]
      resource    = { keyId = concat([for key in local.keys : key.key_id], [for key in local.keys : key.arn]) }
    }
    secret-read = {
      description = "The root token or the recovery keys of Vault were read"
      source      = "aws.secretsmanager"
      event       = "secretsmanager.amazonaws.com"
      names       = ["GetSecretValue"]
      resource = { secretId = concat(
        [for secret in aws_secretsmanager_secret.this : secret.name],
        [for secret in aws_secretsmanager_secret.this : secret.arn],
      ) }
    }
  }
  keys = [aws_kms_key.unseal, aws_kms_key.storage]
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.alarms

  region      = var.region
  name        = "${var.cluster_name}-vault-${each.key}"
  description = each.value.description
  # Reading a secret is an event of a read-only kind, which the ordinary state does not pass on.
  state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
  tags  = local.tags

  event_pattern = jsonencode({
    source        = [each.value.source]
    "detail-type" = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource       = [each.value.event]
      eventName         = each.value.names
      requestParameters = each.value.resource
    }
  })
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.alarms

  region = var.region
  rule   = aws_cloudwatch_event_rule.this[each.key].name
  arn    = var.alarm_topic_arn
}

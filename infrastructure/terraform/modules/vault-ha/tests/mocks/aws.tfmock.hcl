# What AWS would answer, so that policies are known when a plan is made.
mock_data "aws_caller_identity" {
  defaults = { account_id = "111122223333" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

override_resource {
  target = aws_kms_key.unseal
  values = {
    key_id = "11111111-1111-4111-8111-111111111111"
    arn    = "arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-4111-8111-111111111111"
  }
}

override_resource {
  target = aws_kms_key.storage
  values = {
    key_id = "22222222-2222-4222-8222-222222222222"
    arn    = "arn:aws:kms:eu-central-1:111122223333:key/22222222-2222-4222-8222-222222222222"
  }
}

override_resource {
  target = aws_iam_role.this["vault-server"]
  values = { arn = "arn:aws:iam::111122223333:role/nh-prod-vault-server" }
}

override_resource {
  target = aws_iam_role.this["vault-init"]
  values = { arn = "arn:aws:iam::111122223333:role/nh-prod-vault-init" }
}

override_resource {
  target = aws_iam_role.this["vault-snapshot"]
  values = { arn = "arn:aws:iam::111122223333:role/nh-prod-vault-snapshot" }
}

override_resource {
  target = aws_secretsmanager_secret.this["root-token"]
  values = { arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:nh-prod/vault/root-token-AbCdEf" }
}

override_resource {
  target = aws_secretsmanager_secret.this["unseal-keys"]
  values = { arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:nh-prod/vault/unseal-keys-AbCdEf" }
}

override_resource {
  target = aws_s3_bucket.this["audit-logs"]
  values = { arn = "arn:aws:s3:::nh-prod-vault-audit-logs-111122223333" }
}

override_resource {
  target = aws_s3_bucket.this["snapshots"]
  values = { arn = "arn:aws:s3:::nh-prod-vault-snapshots-111122223333" }
}

terraform {
  # 1.9 is the first whose validations may compare variables.
  required_version = ">= 1.9.0"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.0 is the first where every resource may name its region.
      version = ">= 6.0, < 7.0"
    }
  }
}

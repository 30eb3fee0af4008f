plugin "terraform" {
  enabled = true
  preset  = "all"
}

rule "terraform_naming_convention" {
  enabled = true

  # vault-ha and k8s-cluster are the names that readers look for.
  module {
    format = "none"
  }
}

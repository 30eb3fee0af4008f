/** What every token may do with itself. Its name is `default`, and like any other it can be overwritten. */
export const DEFAULT_POLICY = `# Look up, renew and revoke the token itself
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# Ask what the token may do
path "sys/capabilities-self" { capabilities = ["update"] }

# Leases whose id the caller knows
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
`;

import { PKI_ROLE, TRUST_DOMAIN, VAULT_MOUNTS } from '@neural-hive/contracts';
import { authMethods } from './auth-methods.ts';
import { databaseEngine } from './database.ts';
import type { SetupParameters } from './parameters.ts';
import { POLICIES } from './policies.ts';
import type { Mount, VaultSetup } from './setup.ts';

function pkiEngine({ lifetimes }: SetupParameters): Mount {
  return {
    path: VAULT_MOUNTS.pki,
    type: 'pki',
    maxLeaseSeconds: lifetimes.rootCertificateSeconds,
    entries: [
      {
        name: 'pki root',
        path: 'root/generate/internal',
        existsAt: 'cert/ca',
        fields: {
          common_name: `${TRUST_DOMAIN} services`,
          ttl: `${lifetimes.rootCertificateSeconds}s`,
          key_type: 'ec',
          key_bits: 256,
        },
      },
      {
        name: `pki role ${PKI_ROLE}`,
        path: `roles/${PKI_ROLE}`,
        // No URI names: SPIFFE IDs are given out by the SPIFFE issuer alone.
        fields: {
          allowed_domains: [TRUST_DOMAIN, 'svc', 'svc.cluster.local', 'localhost'],
          allow_subdomains: true,
          allow_bare_domains: true,
          allow_localhost: true,
          allow_ip_sans: true,
          allow_any_name: false,
          key_type: 'ec',
          key_bits: 256,
          ttl: lifetimes.certificateSeconds,
          max_ttl: lifetimes.certificateMaxSeconds,
        },
      },
    ],
  };
}

/** Everything the platform needs of a Vault server, for one installation. */
export function platformSetup(parameters: SetupParameters): VaultSetup {
  return {
    policies: POLICIES,
    authMethods: authMethods(parameters),
    engines: [
      { path: VAULT_MOUNTS.kv, type: 'kv', options: { version: '2' }, entries: [] },
      databaseEngine(parameters),
      pkiEngine(parameters),
    ],
  };
}

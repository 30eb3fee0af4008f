import { AUDIENCES, VAULT_MOUNTS } from '@neural-hive/contracts';
import { type Entry, type Policy, platformSetup, type VaultSetup } from '@neural-hive/vault-setup';
import type { ClusterSettings, Settings } from '../settings.ts';

export const SNAPSHOT_ROLE = 'vault-snapshot';

/** Reads the whole of what is stored, sealed, and nothing else. */
export const SNAPSHOT_POLICY: Policy = {
  name: SNAPSHOT_ROLE,
  rules: [
    { path: 'sys/storage/raft/snapshot', capabilities: ['read'] },
    { path: 'auth/token/lookup-self', capabilities: ['read'] },
    { path: 'auth/token/revoke-self', capabilities: ['update'] },
  ],
};

/** The platform's setup with what only a cluster has: the login of its snapshots. */
export function clusterSetup({ cluster, parameters }: Pick<Settings, 'cluster' | 'parameters'>): VaultSetup {
  const platform = platformSetup(parameters);
  const { snapshotAccount } = cluster;
  if (snapshotAccount === undefined) return platform;
  const role = snapshotRole(snapshotAccount, parameters.lifetimes.jobSeconds);
  return {
    ...platform,
    policies: [...platform.policies, SNAPSHOT_POLICY],
    authMethods: platform.authMethods.map((method) =>
      method.path === VAULT_MOUNTS.kubernetes ? { ...method, entries: [...method.entries, role] } : method,
    ),
  };
}

function snapshotRole({ namespace, name }: NonNullable<ClusterSettings['snapshotAccount']>, ttlSeconds: number): Entry {
  return {
    name: `kubernetes role ${SNAPSHOT_ROLE}`,
    path: `role/${SNAPSHOT_ROLE}`,
    fields: {
      bound_service_account_names: [name],
      bound_service_account_namespaces: [namespace],
      audience: AUDIENCES.vault,
      token_policies: [SNAPSHOT_POLICY.name],
      token_no_default_policy: true,
      token_ttl: ttlSeconds,
      token_max_ttl: ttlSeconds,
    },
  };
}

import { isVaultError, type VaultClient } from '@neural-hive/security/vault';

/** Leases of the database engine that the server still holds, as it lists them. */
export async function countServerLeases(vault: VaultClient, below = 'database/'): Promise<number> {
  let count = 0;
  for (const key of await keysBelow(vault, below)) {
    count += key.endsWith('/') ? await countServerLeases(vault, `${below}${key}`) : 1;
  }
  return count;
}

async function keysBelow(vault: VaultClient, path: string): Promise<readonly string[]> {
  try {
    const { data } = await vault.request({ method: 'LIST', path: `sys/leases/lookup/${path}` });
    return (data as { keys?: readonly string[] } | undefined)?.keys ?? [];
  } catch (error) {
    // A server that holds none says that there is no such path.
    if (isVaultError(error, 'not-found')) return [];
    throw error;
  }
}

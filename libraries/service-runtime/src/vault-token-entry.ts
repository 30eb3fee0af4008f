import type { VaultClient } from '@neural-hive/security/vault';
import type { BoardEntry, OperationContext } from './board-entry.ts';

export interface VaultTokenEntryOptions {
  /** Default `vault-token`. */
  readonly name?: string;
  /** One read with the token as it is now. Default: the token looks itself up. */
  readonly operate?: (context: OperationContext) => Promise<void>;
}

/** The token of a Vault client as an entry of the board. Replacing it re-leases everything that it owns. */
export function vaultTokenEntry(client: VaultClient, options: VaultTokenEntryOptions = {}): BoardEntry {
  const lookUp = async ({ signal }: OperationContext): Promise<void> => {
    await client.request({ method: 'GET', path: 'auth/token/lookup-self', signal });
  };
  return {
    name: options.name ?? 'vault-token',
    kind: 'vault-token',
    operate: options.operate ?? lookUp,
    describe() {
      const { generation, issuedAtMs, expiresAtMs } = client.token;
      return { generation, ttlSeconds: Math.round((expiresAtMs - issuedAtMs) / 1000), expiresAtMs };
    },
    async rotate() {
      await client.rotateToken('forced');
      return {};
    },
    onObserved: (listener) =>
      client.onTokenReplaced(({ reason }) => {
        if (reason !== 'forced') listener();
      }),
  };
}

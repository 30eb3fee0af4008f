import type { DatabaseCredential, VaultClient } from '../vault/index.ts';
import type { CredentialProvider } from './credential.ts';

/** A database login leased from Vault: every generation is another user with another password. */
export function databaseCredentials(
  client: VaultClient,
  role: string,
  options: { readonly mount?: string } = {},
): CredentialProvider<DatabaseCredential> {
  const { mount = 'database' } = options;
  const engine = client.database(mount);
  return {
    name: `${mount}/${role}`,
    async obtain({ signal, reserveMs, first }) {
      const lease = await engine.credentials(role, { signal, reserveMs, first });
      return {
        value: lease.value,
        issuedAtMs: lease.issuedAtMs,
        get expiresAtMs() {
          return lease.expiresAtMs;
        },
        revoke: () => lease.revoke(),
        onSuperseded: (listener) => lease.onEnding(listener),
      };
    },
  };
}

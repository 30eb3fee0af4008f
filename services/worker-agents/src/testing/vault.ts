import { tokenAuth, VaultClient, type VaultClientOptions } from '@neural-hive/security/vault';
import { applyVaultSetup, EMBEDDED_LIFETIMES, platformSetup, type SetupParameters } from '@neural-hive/vault-setup';
import type { TicketDatabase } from './database.ts';

export interface TestVault {
  /** With every right. */
  readonly root: VaultClient;
  /** A client with the rights of this policy only. */
  clientOf(policy: string): Promise<VaultClient>;
  stop(): Promise<void>;
}

/** A server with the platform's policies, roles and engines, whose database engine makes logins on `database`. */
export async function setUpVault(
  place: Pick<VaultClientOptions, 'address' | 'ca'>,
  rootToken: string,
  database: TicketDatabase,
  parameters: Partial<SetupParameters> = {},
): Promise<TestVault> {
  const root = await VaultClient.open({ ...place, auth: tokenAuth({ token: rootToken }) });
  const { host, port, database: name } = database.superuser;
  const postgres = {
    url: `host=${host} port=${port} dbname=${name} user={{username}} password={{password}}`,
    ...database.vaultAdmin,
  };
  await applyVaultSetup(root, platformSetup({ lifetimes: EMBEDDED_LIFETIMES, ...parameters, postgres }));
  const clients: VaultClient[] = [];
  return {
    root,
    clientOf: async (policy) => {
      const path = 'auth/token/create';
      const { auth } = await root.request({ method: 'POST', path, body: { policies: [policy], ttl: '90s' } });
      const client = await VaultClient.open({ ...place, auth: tokenAuth({ token: auth?.token.reveal() ?? '' }) });
      clients.push(client);
      return client;
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await root.close();
    },
  };
}

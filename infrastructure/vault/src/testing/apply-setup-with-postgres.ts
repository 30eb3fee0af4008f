import type { VaultClient } from '@neural-hive/security/vault';
import { Client } from 'pg';
import { applyVaultSetup } from '../apply/apply-setup.ts';
import { databaseBootstrap } from '../database/bootstrap.ts';
import { EMBEDDED_LIFETIMES, type SetupParameters } from '../setup/parameters.ts';
import { platformSetup } from '../setup/platform-setup.ts';

/** What is needed of an embedded PostgreSQL server. */
export interface SetupDatabase {
  readonly socketFolder: string;
  readonly port: number;
  readonly database: string;
  readonly superuser: { readonly user: string; readonly password: string };
}

/** Brings a server that only just started to what the platform needs, with its leases on this PostgreSQL. */
export async function applySetupWithPostgres(
  root: VaultClient,
  { socketFolder, port, database, superuser }: SetupDatabase,
  parameters: Partial<SetupParameters>,
): Promise<void> {
  const client = new Client({ host: socketFolder, port, database, ...superuser });
  await client.connect();
  try {
    const { vaultAdmin } = await databaseBootstrap(client);
    const postgres = {
      url: `host=${socketFolder} port=${port} dbname=${database} user={{username}} password={{password}}`,
      username: vaultAdmin.username,
      ...(vaultAdmin.password === undefined ? {} : { password: vaultAdmin.password.reveal() }),
    };
    await applyVaultSetup(root, platformSetup({ lifetimes: EMBEDDED_LIFETIMES, ...parameters, postgres }));
  } finally {
    await client.end();
  }
}

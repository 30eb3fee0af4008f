import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import { isVaultError, type VaultClient } from '@neural-hive/security/vault';
import {
  applyVaultSetup,
  databaseBootstrap,
  EMBEDDED_LIFETIMES,
  POSTGRES_CONNECTION,
  platformSetup,
  type SetupParameters,
  type SetupReport,
  setupParameters,
} from '@neural-hive/vault-setup';
import { withSuperuser } from './database.ts';

/** Brings database and secrets server to the setup that `infrastructure/vault` describes. A second time it changes nothing. */
export async function applySetup(options: {
  readonly vault: VaultClient;
  readonly postgres: EmbeddedPostgres;
  /** What it has to know of the other servers. */
  readonly others: Omit<SetupParameters, 'lifetimes' | 'postgres'>;
}): Promise<SetupReport> {
  const { vault, postgres, others } = options;
  const known = await connectionIsKnown(vault);
  const { vaultAdmin } = await withSuperuser(postgres, (client) =>
    databaseBootstrap(client, { newAdminPassword: !known }),
  );
  const parameters = setupParameters.parse({
    lifetimes: EMBEDDED_LIFETIMES,
    ...others,
    postgres: {
      url: connectionUrl(postgres),
      username: vaultAdmin.username,
      ...(vaultAdmin.password === undefined ? {} : { password: vaultAdmin.password.reveal() }),
    },
  });
  return applyVaultSetup(vault, platformSetup(parameters));
}

/** A Unix socket's folder goes into the query of a PostgreSQL URL. */
function connectionUrl({ socketFolder, port, database }: EmbeddedPostgres): string {
  const where = new URLSearchParams({ host: socketFolder, port: String(port) });
  return `postgresql://{{username}}:{{password}}@/${database}?${where}`;
}

/** Whether the database engine still has the login that it was given at an earlier start. */
async function connectionIsKnown(vault: VaultClient): Promise<boolean> {
  try {
    await vault.request({ method: 'GET', path: `database/config/${POSTGRES_CONNECTION}` });
    return true;
  } catch (error) {
    if (isVaultError(error, 'not-found')) return false;
    throw error;
  }
}

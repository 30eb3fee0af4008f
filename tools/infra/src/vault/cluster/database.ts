import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { databaseBootstrap, type SetupParameters } from '@neural-hive/vault-setup';
import { Client } from 'pg';

/** A PostgreSQL in which Vault may make logins. */
export interface LeasedDatabase {
  readonly server: EmbeddedPostgres;
  /** For the setup's parameters. */
  readonly parameters: NonNullable<SetupParameters['postgres']>;
}

export async function startDatabase(): Promise<LeasedDatabase> {
  const server = await startPostgres({ database: 'neural_hive' });
  const { socketFolder, port, database, superuser } = server;
  const client = new Client({ host: socketFolder, port, database, ...superuser });
  try {
    await client.connect();
    const { vaultAdmin } = await databaseBootstrap(client);
    const password = vaultAdmin.password?.reveal();
    const parameters = {
      url: `host=${socketFolder} port=${port} dbname=${database} user={{username}} password={{password}}`,
      username: vaultAdmin.username,
      ...(password === undefined ? {} : { password }),
    };
    return { server, parameters };
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    await client.end();
  }
}

/** Whether a login works. */
export async function canLogIn({ server }: LeasedDatabase, user: string, password: string): Promise<boolean> {
  const { socketFolder, port, database } = server;
  const client = new Client({ host: socketFolder, port, database, user, password });
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_ROLES, KV_PATHS, migratorRole, SCHEMAS, SPIFFE_IDS } from '@neural-hive/contracts';
import { DevAuthority } from '@neural-hive/dev-authority';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { type DatabaseCredential, type Lease, tokenAuth, VaultClient } from '@neural-hive/security/vault';
import {
  applyVaultSetup,
  createAnnouncementUser,
  databaseBootstrap,
  EMBEDDED_LIFETIMES,
  platformSetup,
  setupParameters,
} from '@neural-hive/vault-setup';
import pg from 'pg';
import { runMigrations } from '../adapters/postgres/run-migrations.ts';

/** Everything below the orchestrator, as the supervisor sets it up: database, authority, logins, migrations. */
export class EmbeddedPlatform {
  readonly vault: VaultClient;
  readonly authority: DevAuthority;
  readonly #postgres: EmbeddedPostgres;
  readonly #folder: string;

  private constructor(folder: string, postgres: EmbeddedPostgres, authority: DevAuthority, vault: VaultClient) {
    this.#folder = folder;
    this.#postgres = postgres;
    this.authority = authority;
    this.vault = vault;
  }

  static async open(): Promise<EmbeddedPlatform> {
    const folder = mkdtempSync('/tmp/od-');
    chmodSync(folder, 0o711);
    const [postgres, authority] = await Promise.all([
      startPostgres({ database: 'neural_hive' }),
      DevAuthority.open({
        stateFolder: join(folder, 'authority'),
        workloads: [
          { socketPath: join(folder, 'od.sock'), spiffeId: SPIFFE_IDS.orchestrator },
          { socketPath: join(folder, 'op.sock'), spiffeId: SPIFFE_IDS.operator },
        ],
      }),
    ]);
    const vault = await VaultClient.open({
      address: authority.address,
      ca: authority.caPem,
      auth: tokenAuth({ token: authority.rootToken }),
    });
    const platform = new EmbeddedPlatform(folder, postgres, authority, vault);
    await platform.#setUp();
    return platform;
  }

  /** The environment that the supervisor gives to the orchestrator. */
  get environment(): Record<string, string> {
    return {
      ENVIRONMENT: 'development',
      SPIFFE_ENDPOINT_SOCKET: `unix://${join(this.#folder, 'od.sock')}`,
      VAULT_ADDRESS: this.authority.address,
      VAULT_CA_BUNDLE: this.authority.caFile,
      VAULT_AUTH_METHOD: 'jwt',
      VAULT_KUBERNETES_ROLE: 'orchestrator-dynamic',
      POSTGRES_HOST: this.#postgres.socketFolder,
      POSTGRES_PORT: String(this.#postgres.port),
      POSTGRES_DATABASE: this.#postgres.database,
      SERVICE_REGISTRY_HOST: '127.0.0.1',
      HTTP_PORT: '0',
      METRICS_PORT: '0',
      MANAGEMENT_PORT: '0',
      KV_POLL_SECONDS: '0.1',
    };
  }

  get operatorEndpoint(): string {
    return `unix://${join(this.#folder, 'op.sock')}`;
  }

  /** As a worker leases it; the caller revokes it. */
  leaseWorkerLogin(): Promise<Lease<DatabaseCredential>> {
    return this.vault.database().credentials(DATABASE_ROLES.workerTickets);
  }

  connectionOf({ username, password }: DatabaseCredential): pg.ClientConfig {
    return { ...this.#place, user: username, password: password.reveal() };
  }

  async asSuperuser<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { user, password } = this.#postgres.superuser;
    const client = new pg.Client({ ...this.#place, user, password });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  /** A further announcement user, written where the orchestrator reads its login. */
  async renewAnnouncementUser(name: string): Promise<void> {
    const password = `${name}-only-for-tests`;
    await this.asSuperuser(async (client) => {
      for (const statement of createAnnouncementUser(name, password)) await client.query(statement);
    });
    await this.vault.kv().write(KV_PATHS.orchestratorKafka, { username: name, password });
  }

  async close(): Promise<void> {
    await this.vault.close();
    await this.authority.close();
    await this.#postgres.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #place(): pg.ClientConfig {
    const { socketFolder: host, port, database } = this.#postgres;
    return { host, port, database };
  }

  async #setUp(): Promise<void> {
    const { vaultAdmin } = await this.asSuperuser((client) => databaseBootstrap(client, { newAdminPassword: true }));
    const { socketFolder, port, database } = this.#postgres;
    const where = new URLSearchParams({ host: socketFolder, port: String(port) });
    const parameters = setupParameters.parse({
      lifetimes: EMBEDDED_LIFETIMES,
      jwt: { provider: 'spiffe' },
      postgres: {
        url: `postgresql://{{username}}:{{password}}@/${database}?${where}`,
        username: vaultAdmin.username,
        password: vaultAdmin.password?.reveal(),
      },
    });
    await applyVaultSetup(this.vault, platformSetup(parameters));
    for (const schema of SCHEMAS) {
      const lease = await this.vault.database().credentials(migratorRole(schema));
      const client = new pg.Client(this.connectionOf(lease.value));
      await client.connect();
      await runMigrations(client, schema);
      await client.end();
      await lease.revoke();
    }
    await this.renewAnnouncementUser('announce_first');
  }
}

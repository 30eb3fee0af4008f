import { DATABASE_ROLES, KV_PATHS, VAULT_MOUNTS } from '@neural-hive/contracts';
import { NeuralHiveError, Secret } from '@neural-hive/security/common';
import { parseLogin, type RotatingCredential, type StoredLogin } from '@neural-hive/security/credentials';
import { type DatabaseCredential, isVaultError, type Lease, type VaultClient } from '@neural-hive/security/vault';
import { z } from 'zod';

/** Counts fetches and renewals; labels are closed sets. */
export interface CredentialCounters {
  fetched(credentialType: 'postgres' | 'kafka' | 'mongodb', status: 'success' | 'failure'): void;
  renewed(status: 'success' | 'failure'): void;
}

export type CredentialUnavailableCode = 'mongodb_not_configured';

/** The profile has no such credential; another one has. */
export class CredentialUnavailableError extends NeuralHiveError<CredentialUnavailableCode> {}

export interface OrchestratorVaultClientOptions {
  readonly client: VaultClient;
  /** Default `secret`. */
  readonly kvMount?: string;
  /** Default `database`. */
  readonly databaseMount?: string;
  readonly counters: CredentialCounters;
}

const mongodb = z.object({ uri: z.string().min(1) });

/** What the orchestrator asks of Vault. Nothing that it answers is logged or kept longer than its use. */
export class OrchestratorVaultClient {
  readonly #options: Required<OrchestratorVaultClientOptions>;
  readonly #held: { rotate(reason: 'forced'): Promise<{ ok: boolean; error?: unknown }> }[] = [];

  constructor(options: OrchestratorVaultClientOptions) {
    this.#options = { kvMount: VAULT_MOUNTS.kv, databaseMount: VAULT_MOUNTS.database, ...options };
  }

  /** A database login of its own; whoever asks revokes it. */
  getPostgresCredentials(options: { signal?: AbortSignal } = {}): Promise<Lease<DatabaseCredential>> {
    const { client, databaseMount } = this.#options;
    return this.#counted('postgres', () =>
      client.database(databaseMount).credentials(DATABASE_ROLES.orchestrator, options),
    );
  }

  /** The login of the ticket transport as it is stored now: Kafka's in production, the announcements' when embedded. */
  getKafkaCredentials(options: { signal?: AbortSignal } = {}): Promise<StoredLogin> {
    return this.#counted('kafka', async () => {
      const { data } = await this.#kv().read(KV_PATHS.orchestratorKafka, options);
      return parseLogin(data);
    });
  }

  /**
   * The connection URI of the plan store in production. Throws `CredentialUnavailableError` where none is stored: the
   * embedded profile keeps plans in PostgreSQL.
   */
  getMongodbUri(options: { signal?: AbortSignal } = {}): Promise<Secret<string>> {
    return this.#counted('mongodb', async () => {
      try {
        const { data } = await this.#kv().read(KV_PATHS.orchestratorMongodb, options);
        return new Secret(mongodb.parse(data).uri);
      } catch (error) {
        if (!isVaultError(error, 'not-found') && !(error instanceof z.ZodError)) throw error;
        throw new CredentialUnavailableError(
          'mongodb_not_configured',
          `${this.#options.kvMount}/${KV_PATHS.orchestratorMongodb} holds no uri: this profile has no MongoDB, plans are kept in PostgreSQL`,
        );
      }
    });
  }

  /** Has `renewCredentials` rotate a credential that lives as long as the orchestrator. */
  hold<T>(credential: RotatingCredential<T>): void {
    this.#held.push(credential);
    credential.onRotation(({ ok, reason }) => {
      if (reason !== 'forced') this.#options.counters.renewed(ok ? 'success' : 'failure');
    });
  }

  /**
   * Replaces the token and every long-held credential now, on the path of a due rotation. Rejects when one could not be
   * replaced; it then stays in use as it was.
   */
  async renewCredentials(): Promise<void> {
    const { client, counters } = this.#options;
    try {
      await client.rotateToken('forced');
      for (const credential of this.#held) {
        const outcome = await credential.rotate('forced');
        if (!outcome.ok) throw outcome.error;
      }
      counters.renewed('success');
    } catch (error) {
      counters.renewed('failure');
      throw error;
    }
  }

  #kv() {
    return this.#options.client.kv(this.#options.kvMount);
  }

  async #counted<T>(credentialType: 'postgres' | 'kafka' | 'mongodb', fetch: () => Promise<T>): Promise<T> {
    const { counters } = this.#options;
    try {
      const value = await fetch();
      counters.fetched(credentialType, 'success');
      return value;
    } catch (error) {
      counters.fetched(credentialType, 'failure');
      throw error;
    }
  }
}

import { DATABASE_ROLES, KV_PATHS, type TaskType, VAULT_MOUNTS } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import type { RotatingCredential } from '@neural-hive/security/credentials';
import { isVaultError, type VaultClient } from '@neural-hive/security/vault';
import { z } from 'zod';
import { type ExecutionSettings, executionSettings } from '../../domain/execution-settings.ts';
import { TicketFailure } from '../../domain/failure.ts';
import type { ExecutionSecrets } from '../../domain/ports.ts';
import type { WorkerMetrics } from '../../engine/worker-metrics.ts';
import type { QueryLogin } from '../../executors/query.ts';

export interface LoginSecret {
  readonly username: string;
  readonly password: Secret<string>;
}

export interface StoredResult {
  readonly fencing: number;
  readonly output: Readonly<Record<string, string>>;
  readonly logs: readonly string[];
}

export interface WorkerVaultClientOptions {
  readonly client: VaultClient;
  /** Default `secret`. */
  readonly kvMount?: string;
  /** Default `database`. */
  readonly databaseMount?: string;
  readonly metrics: Pick<WorkerMetrics, 'credentialsFetched'>;
}

const login = z.object({ username: z.string().min(1), password: z.string().min(1) });
const storedToken = z.object({ fencing_token: z.int().nonnegative() });
const CAS_ATTEMPTS = 5;

interface WithSignal {
  readonly signal?: AbortSignal;
}

/** Shapes the login that KV holds for the announcements of tickets. Throws without showing what was stored. */
export function parseLogin(data: Readonly<Record<string, unknown>>): LoginSecret {
  const parsed = login.safeParse(data);
  if (!parsed.success) throw new TypeError('The stored login needs a username and a password');
  return { username: parsed.data.username, password: new Secret(parsed.data.password) };
}

/** What the worker asks of Vault. Nothing that it answers is logged or kept longer than its use. */
export class WorkerVaultClient implements ExecutionSecrets {
  readonly #options: Required<WorkerVaultClientOptions>;
  readonly #held: RotatingCredential<unknown>[] = [];

  constructor(options: WorkerVaultClientOptions) {
    this.#options = { kvMount: VAULT_MOUNTS.kv, databaseMount: VAULT_MOUNTS.database, ...options };
  }

  /** The login of the transport as it is stored now: Kafka's in production, the announcements' in the embedded profile. */
  getKafkaCredentials({ signal }: WithSignal = {}): Promise<LoginSecret> {
    return this.#counted('kafka', async () => {
      const { data } = await this.#kv().read(KV_PATHS.workerKafka, { signal });
      return parseLogin(data);
    });
  }

  /** What is stored for all task types, overlaid by what is stored for this one. Empty when nothing is. */
  getExecutionCredentials(type: TaskType, { signal }: WithSignal = {}): Promise<Secret<Record<string, unknown>>> {
    return this.#counted('execution', async () => {
      const paths = [KV_PATHS.workerExecution, KV_PATHS.workerExecutionOf(type)];
      const [common, own] = await Promise.all(paths.map((path) => this.#readOrNothing(path, signal)));
      return new Secret({ ...common, ...own });
    });
  }

  async settingsFor(type: TaskType, options: { signal: AbortSignal }): Promise<ExecutionSettings> {
    const stored = await this.getExecutionCredentials(type, options);
    const parsed = executionSettings.safeParse(stored.reveal());
    if (parsed.success) return parsed.data;
    const names = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw new TicketFailure('backend', `${KV_PATHS.workerExecutionOf(type)}: these settings are wrong: ${names}`);
  }

  /** A read-only login that lives for one ticket; whoever leases it revokes it. */
  leaseQueryLogin({ signal }: { signal: AbortSignal }): Promise<QueryLogin> {
    const { client, databaseMount } = this.#options;
    return this.#counted('worker-query', () =>
      client.database(databaseMount).credentials(DATABASE_ROLES.workerQuery, { signal }),
    );
  }

  /** Stores an output by compare-and-set, so that of two attempts the newer one's stays. Answers its KV path. */
  async storeResult(ticketId: string, result: StoredResult, { signal }: WithSignal = {}): Promise<string> {
    const path = KV_PATHS.workerResult(ticketId);
    const data = { fencing_token: result.fencing, output: result.output, logs: result.logs };
    for (let attempt = 1; ; attempt += 1) {
      const current = await this.#currentResult(path, signal);
      if (current.fencing > result.fencing) {
        throw new TicketFailure('fenced', 'A newer attempt has stored its result already');
      }
      if (current.fencing === result.fencing) return path;
      try {
        await this.#kv().write(path, data, { cas: current.version, ...(signal && { signal }) });
        return path;
      } catch (error) {
        if (!isVaultError(error, 'cas-mismatch') || attempt === CAS_ATTEMPTS) throw error;
      }
    }
  }

  /** Has `renewCredentials` rotate a credential that lives as long as the worker. */
  hold(credential: RotatingCredential<never> | RotatingCredential<LoginSecret>): void {
    this.#held.push(credential as RotatingCredential<unknown>);
  }

  /** Replaces the token and every long-held credential now, on the path of a due rotation. */
  async renewCredentials(): Promise<void> {
    await this.#options.client.rotateToken('forced');
    await Promise.all(this.#held.map((credential) => credential.rotate('forced')));
  }

  #kv() {
    return this.#options.client.kv(this.#options.kvMount);
  }

  async #readOrNothing(path: string, signal: AbortSignal | undefined): Promise<Record<string, unknown>> {
    try {
      return (await this.#kv().read(path, { signal })).data;
    } catch (error) {
      if (isVaultError(error, 'not-found')) return {};
      throw error;
    }
  }

  async #currentResult(path: string, signal: AbortSignal | undefined): Promise<{ version: number; fencing: number }> {
    try {
      const { data, version } = await this.#kv().read(path, { signal });
      const parsed = storedToken.safeParse(data);
      return { version, fencing: parsed.success ? parsed.data.fencing_token : 0 };
    } catch (error) {
      if (!isVaultError(error, 'not-found')) throw error;
      return { version: 0, fencing: 0 };
    }
  }

  async #counted<T>(credential: string, fetch: () => Promise<T>): Promise<T> {
    const { metrics } = this.#options;
    try {
      const value = await fetch();
      metrics.credentialsFetched(credential, 'success');
      return value;
    } catch (error) {
      metrics.credentialsFetched(credential, 'failure');
      throw error;
    }
  }
}

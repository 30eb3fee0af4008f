import { DATABASE_ROLES, KV_PATHS, type TaskType, VAULT_MOUNTS } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import { parseLogin, type StoredLogin } from '@neural-hive/security/credentials';
import { isVaultError, type VaultClient } from '@neural-hive/security/vault';
import { readInjected } from '@neural-hive/service-runtime';
import { type ExecutionSettings, executionSettings } from '../../domain/execution-settings.ts';
import { TicketFailure } from '../../domain/failure.ts';
import type { ExecutionSecrets, SensitiveResult } from '../../domain/ports.ts';
import type { WorkerMetrics } from '../../engine/worker-metrics.ts';
import type { QueryLogin } from '../../executors/query-postgres.ts';

export interface WorkerVaultClientOptions {
  readonly client: VaultClient;
  /** Default `secret`. */
  readonly kvMount?: string;
  /** Default `database`. */
  readonly databaseMount?: string;
  /** The folder of the injector's agent: `execution` in it stands for what is stored for all task types. */
  readonly injectedSecrets?: string | undefined;
  readonly metrics: Pick<WorkerMetrics, 'credentialsFetched'>;
}

/** A `RotatingCredential` is one. */
export interface Rotatable {
  rotate(reason: 'forced'): Promise<unknown>;
}

/** How long a ticket waits for settings when there are some to go on with. */
const SETTINGS_WAIT_MS = 1_000;

interface WithSignal {
  readonly signal?: AbortSignal;
}

/** What the worker asks of Vault. Nothing that it answers is logged or kept longer than its use. */
export class WorkerVaultClient implements ExecutionSecrets {
  readonly #options: WorkerVaultClientOptions & { readonly kvMount: string; readonly databaseMount: string };
  readonly #held: Rotatable[] = [];
  readonly #settings = new Map<TaskType, ExecutionSettings>();
  /** Results whose write was begun and not answered. */
  readonly #inDoubt = new Set<string>();

  constructor(options: WorkerVaultClientOptions) {
    this.#options = { kvMount: VAULT_MOUNTS.kv, databaseMount: VAULT_MOUNTS.database, ...options };
  }

  /** The login of the transport as it is stored now: Kafka's in production, the announcements' in the embedded profile. */
  getKafkaCredentials({ signal }: WithSignal = {}): Promise<StoredLogin> {
    return this.#counted('kafka', async () => {
      const { data } = await this.#kv().read(KV_PATHS.workerKafka, { signal });
      return parseLogin(data);
    });
  }

  /** What is stored for all task types, overlaid by what is stored for this one. Empty when nothing is. */
  getExecutionCredentials(type: TaskType, { signal }: WithSignal = {}): Promise<Secret<Record<string, unknown>>> {
    return this.#counted('execution', async () => {
      const [common, own] = await Promise.all([
        (await readInjected(this.#options.injectedSecrets, 'execution')) ??
          this.#readOrNothing(KV_PATHS.workerExecution, signal),
        this.#readOrNothing(KV_PATHS.workerExecutionOf(type), signal),
      ]);
      return new Secret({ ...common, ...own });
    });
  }

  /** While Vault does not answer, the settings that were read last for this task type go on; a refusal ends them. */
  async settingsFor(type: TaskType, { signal }: { signal: AbortSignal }): Promise<ExecutionSettings> {
    const known = this.#settings.get(type);
    let stored: Secret<Record<string, unknown>>;
    try {
      const waiting = known === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(SETTINGS_WAIT_MS)]);
      stored = await this.getExecutionCredentials(type, { signal: waiting });
    } catch (error) {
      if (known === undefined || signal.aborted || (isVaultError(error) && !error.retryable)) throw error;
      return known;
    }
    const parsed = executionSettings.safeParse(stored.reveal());
    if (parsed.success) {
      this.#settings.set(type, parsed.data);
      return parsed.data;
    }
    const names = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw new TicketFailure('backend', `${KV_PATHS.workerExecutionOf(type)}: these settings are wrong: ${names}`);
  }

  /** A read-only login that lives for one ticket; whoever leases it revokes it. */
  leaseQueryLogin({ signal }: { signal: AbortSignal }): Promise<QueryLogin & { readonly expiresAtMs: number }> {
    const { client, databaseMount } = this.#options;
    return this.#counted('worker-query', () =>
      client.database(databaseMount).credentials(DATABASE_ROLES.workerQuery, { signal }),
    );
  }

  /**
   * Stores an output, so that of several attempts the newest one's stays, without a right to read it: attempt n writes
   * until the secret has n versions, each time by compare-and-set. Once a newer attempt is through there are more
   * versions than an older one may write upon. Answers the KV path.
   */
  async storeResult(ticketId: string, result: SensitiveResult, { signal }: WithSignal = {}): Promise<string> {
    const { attempt, fencing, output, logs } = result;
    const path = KV_PATHS.workerResult(ticketId);
    const doubt = `${ticketId} ${fencing}`;
    const repeated = this.#inDoubt.has(doubt);
    this.#inDoubt.add(doubt);
    let stored = false;
    for (let version = 0; version < attempt; version += 1) {
      stored = await this.#writeUpon(path, version, { fencing_token: fencing, output, logs }, signal);
    }
    this.#inDoubt.delete(doubt);
    // A write whose answer was lost looks like somebody else's at the repetition.
    if (!stored && !repeated) throw new TicketFailure('fenced', 'A newer attempt has stored its result already');
    return path;
  }

  /** Has `renewCredentials` rotate a credential that lives as long as the worker. */
  hold(credential: Rotatable): void {
    this.#held.push(credential);
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

  /** False when the secret has another version. */
  async #writeUpon(path: string, version: number, data: object, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#kv().write(path, data, { cas: version, signal });
      return true;
    } catch (error) {
      if (isVaultError(error, 'cas-mismatch')) return false;
      throw error;
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

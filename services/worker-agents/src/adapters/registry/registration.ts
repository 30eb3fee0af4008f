import { type ChannelCredentials, type Interceptor, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { TaskType } from '@neural-hive/contracts';
import {
  type AgentTelemetry,
  AgentType,
  type DeregisterResponse,
  type HeartbeatResponse,
  type RegisterResponse,
  ServiceRegistryClient,
} from '@neural-hive/contracts/proto/service-registry';
import { fullJitterMs, messageOf, sleep } from '@neural-hive/security/common';
import type { Telemetry } from '../../engine/telemetry.ts';
import type { WorkerLogger } from '../../engine/worker-logger.ts';
import type { WorkerMetrics } from '../../engine/worker-metrics.ts';

export interface RegistrationOptions {
  /** `host:port` */
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly interceptors: readonly Interceptor[];
  /** Names this process, so that a repeated registration finds the same agent. */
  readonly instanceId: string;
  readonly types: readonly TaskType[];
  /** Beside the task types. */
  readonly capabilities: readonly string[];
  readonly namespace: string;
  readonly cluster: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly heartbeatMs: number;
  readonly telemetry: () => Telemetry;
  readonly metrics: Pick<WorkerMetrics, 'heartbeat' | 'registered'>;
  readonly log: WorkerLogger;
}

const CALL_LIMIT_MS = 5_000;
const RETRY = { baseMs: 200, capMs: 3_000 };

/**
 * The worker's entry in the registry. It is kept for as long as the worker lives: after a failure it is tried again, and
 * a registry that has forgotten the worker is told anew.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #client: ServiceRegistryClient;
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;
  #agentId: string | undefined;
  #announce: () => void = () => {};
  readonly #first: Promise<void>;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#client = new ServiceRegistryClient(options.address, options.credentials, {
      interceptors: [...options.interceptors],
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
    });
    this.#first = new Promise((resolve) => {
      this.#announce = resolve;
    });
    this.#loop = this.#keep();
  }

  /** The id that the registry gave; undefined while it does not know this worker. */
  get agentId(): string | undefined {
    return this.#agentId;
  }

  /** Whether the worker was registered within this time. */
  async registeredWithin(limitMs: number): Promise<boolean> {
    const limit = new AbortController();
    await Promise.race([this.#first, sleep(limitMs, { signal: limit.signal }).catch(() => undefined)]);
    limit.abort();
    return this.#agentId !== undefined;
  }

  /** Takes the worker out of the registry. */
  async close(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    await this.#loop;
    const agentId = this.#agentId;
    this.#agentId = undefined;
    if (agentId !== undefined) {
      await this.#call<DeregisterResponse>((metadata, options, done) =>
        this.#client.deregister({ agentId }, metadata, options, done),
      ).catch((error: unknown) => {
        this.#options.log.warn({ error: messageOf(error) }, 'the worker could not be taken out of the registry');
      });
    }
    this.#client.close();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#ending;
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (this.#agentId === undefined) await this.#register();
        else await this.#beat(this.#agentId);
        failures = 0;
      } catch (error) {
        if (failures === 0) {
          this.#options.log.warn({ error: messageOf(error) }, 'the registry does not answer: trying again');
        }
        failures += 1;
      }
      const waitMs = failures === 0 ? this.#options.heartbeatMs : RETRY.baseMs + fullJitterMs(failures, RETRY);
      // Forgotten: told anew at once.
      const again = failures === 0 && this.#agentId === undefined;
      if (!again) await sleep(waitMs, { signal }).catch(() => undefined);
    }
  }

  async #register(): Promise<void> {
    const {
      instanceId,
      types,
      capabilities,
      namespace,
      cluster,
      version,
      metadata: facts,
      metrics,
      log,
    } = this.#options;
    const request = {
      agentType: AgentType.WORKER,
      capabilities: [...new Set([...types, ...capabilities])],
      metadata: { ...facts },
      namespace,
      cluster,
      version,
      telemetry: this.#telemetry(),
      instanceId,
    };
    try {
      const { agentId } = await this.#call<RegisterResponse>((metadata, options, done) =>
        this.#client.register(request, metadata, options, done),
      );
      this.#agentId = agentId;
      metrics.registered('success');
      log.info({ agent: agentId, types }, 'registered');
      this.#announce();
    } catch (error) {
      metrics.registered('failure');
      throw error;
    }
  }

  async #beat(agentId: string): Promise<void> {
    const { metrics, log } = this.#options;
    try {
      await this.#call<HeartbeatResponse>((metadata, options, done) =>
        this.#client.heartbeat({ agentId, telemetry: this.#telemetry() }, metadata, options, done),
      );
      metrics.heartbeat('success');
    } catch (error) {
      metrics.heartbeat('failure');
      if ((error as Partial<ServiceError>).code !== status.NOT_FOUND) throw error;
      log.warn({ agent: agentId }, 'the registry does not know this worker any more');
      this.#agentId = undefined;
    }
  }

  #telemetry(): AgentTelemetry {
    const { lastExecutionAtMs, ...counts } = this.#options.telemetry();
    return { ...counts, lastExecutionAt: lastExecutionAtMs };
  }

  #call<T>(
    start: (
      metadata: Metadata,
      options: { deadline: number },
      done: (error: ServiceError | null, value: T) => void,
    ) => unknown,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      start(new Metadata(), { deadline: Date.now() + CALL_LIMIT_MS }, (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });
  }
}

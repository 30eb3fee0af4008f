import { type ChannelCredentials, type Interceptor, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type DiscoverResponse, ServiceRegistryClient } from '@neural-hive/contracts/proto/service-registry';
import { type Clock, messageOf, sleep, systemClock } from '@neural-hive/security/common';
import type { NeededAbility } from '../../domain/index.ts';
import type { Admission, AdmissionAnswer } from '../../ports/admission.ts';

export interface RegistryAdmissionOptions {
  /** `host:port` */
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly interceptors: readonly Interceptor[];
  /** How long a plan waits for somebody who can do it, or for the registry to answer. */
  readonly windowMs: number;
  /** Of one call. In milliseconds; default 3 000. */
  readonly timeoutMs?: number;
  /** Between two questions. In milliseconds; default 250. */
  readonly intervalMs?: number;
  readonly clock?: Clock;
  readonly log?: { warn(fields: object, message: string): void };
}

/** Answers that asking again will not change. */
const FINAL = new Set<number | undefined>([status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.INVALID_ARGUMENT]);

/**
 * Asks the registry who is alive and able. Somebody who is missing may just be starting, so it asks again for a while.
 * A registry that gives no answer all that time stops nothing: it says who could do a ticket, the workers take them
 * without it.
 */
export class RegistryAdmission implements Admission {
  readonly #options: Required<Omit<RegistryAdmissionOptions, 'log'>> & Pick<RegistryAdmissionOptions, 'log'>;
  readonly #client: ServiceRegistryClient;

  constructor(options: RegistryAdmissionOptions) {
    this.#options = { timeoutMs: 3_000, intervalMs: 250, clock: systemClock, ...options };
    this.#client = new ServiceRegistryClient(options.address, options.credentials, {
      interceptors: [...options.interceptors],
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
    });
  }

  async check(needs: readonly NeededAbility[], { signal }: { signal: AbortSignal }): Promise<AdmissionAnswer> {
    const { clock, intervalMs, log, windowMs } = this.#options;
    const endsAtMs = clock.monotonicMs() + windowMs;
    let open = needs;
    for (;;) {
      const asked = await Promise.allSettled(open.map((need) => this.#isAble(need)));
      const refused = asked.find(({ status: outcome }) => outcome === 'rejected') as PromiseRejectedResult | undefined;
      open = open.filter((_, index) => {
        const answer = asked[index];
        return answer?.status === 'rejected' || answer?.value === false;
      });
      if (open.length === 0) return { kind: 'able', warning: null };
      const error = refused?.reason as Partial<ServiceError> | undefined;
      if (clock.monotonicMs() + intervalMs < endsAtMs && !FINAL.has(error?.code)) {
        await sleep(intervalMs, { clock, signal });
        continue;
      }
      if (error === undefined) return { kind: 'unable', reason: `nobody alive can do ${describe(open)}` };
      const warning = `the registry gave no answer (${messageOf(error)}): nobody was asked about ${describe(open)}`;
      log?.warn({ error: messageOf(error) }, 'a plan was admitted without the registry');
      return { kind: 'able', warning };
    }
  }

  close(): void {
    this.#client.close();
  }

  async #isAble({ taskType, capabilities }: NeededAbility): Promise<boolean> {
    const { timeoutMs } = this.#options;
    const request = { capabilities: [taskType, ...capabilities], filters: { agent_type: 'WORKER' }, maxResults: 1 };
    const { agents } = await new Promise<DiscoverResponse>((resolve, reject) => {
      const deadline = Date.now() + timeoutMs;
      this.#client.discoverAgents(request, new Metadata(), { deadline }, (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });
    return agents.length > 0;
  }
}

function describe(needs: readonly NeededAbility[]): string {
  return needs
    .map(({ taskType, capabilities }) =>
      capabilities.length === 0 ? taskType : `${taskType} with ${capabilities.join(', ')}`,
    )
    .join('; ');
}

import { systemClock } from '../../common/index.ts';
import type { X509Bundle, X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import type { SpiffeError } from '../spiffe-error.ts';
import type { X509Svid, X509SvidSource } from '../svid/x509/x509-svid.ts';
import type { TrustDomain } from '../trust-domain.ts';
import { WorkloadApiClient } from '../workload-api/client.ts';
import type { X509Context } from '../workload-api/responses.ts';
import type { SourceHealth, SourceOptions } from './source-options.ts';
import { SyncedWatch } from './synced-watch.ts';

export interface X509SourceOptions extends SourceOptions {
  /** Chooses among several identities. Default: the first, which is the agent's default. */
  readonly pick?: (svids: readonly [X509Svid, ...X509Svid[]]) => X509Svid;
}

interface Snapshot {
  readonly svid: X509Svid;
  readonly bundles: ReadonlyMap<string, X509Bundle>;
}

/** The workload's X509-SVID and its trust bundles, kept current by the agent. One snapshot holds both. */
export class X509Source implements X509SvidSource, X509BundleSource {
  readonly #watch: SyncedWatch<Snapshot>;
  readonly #client: WorkloadApiClient;
  readonly #ownsClient: boolean;
  readonly #clock;
  #closing: Promise<void> | undefined;

  private constructor(watch: SyncedWatch<Snapshot>, client: WorkloadApiClient, options: X509SourceOptions) {
    this.#watch = watch;
    this.#client = client;
    this.#ownsClient = options.client === undefined;
    this.#clock = options.clock ?? systemClock;
  }

  /** Resolves when the first SVID is there. @throws SpiffeError `SOURCE_NOT_READY` with what the agent said as cause */
  static async open(options: X509SourceOptions = {}): Promise<X509Source> {
    const { clock = systemClock, pick = ([first]) => first, metrics } = options;
    const client = options.client ?? new WorkloadApiClient({ endpoint: options.endpoint, clock });
    try {
      const watch = await SyncedWatch.open<Snapshot>({
        what: 'X509-SVID',
        watch: (handler, control) =>
          client.watchX509Context(
            {
              update: (context: X509Context) => handler.update({ svid: pick(context.svids), bundles: context.bundles }),
              error: (error: SpiffeError) => handler.error?.(error),
            },
            control,
          ),
        clock,
        initialSyncTimeoutMs: options.initialSyncTimeoutMs ?? 10_000,
        deniedGraceMs: options.deniedGraceMs ?? 0,
        signal: options.signal,
        same: sameSnapshot,
        onUpdate: () => metrics?.svidFetch('x509', 'success', 0),
        onError: () => metrics?.svidFetch('x509', 'error', 0),
      });
      return new X509Source(watch, client, options);
    } catch (error) {
      if (options.client === undefined) client.close();
      throw error;
    }
  }

  /** @throws SpiffeError `SVID_WITHDRAWN`, `SOURCE_CLOSED` */
  getX509Svid(): X509Svid {
    return this.#watch.get().svid;
  }

  /** @throws SpiffeError `SVID_WITHDRAWN`, `SOURCE_CLOSED` */
  getX509Bundle(trustDomain: TrustDomain): X509Bundle | undefined {
    return this.#watch.get().bundles.get(trustDomain.name);
  }

  /** Counts the changes of the snapshot; 1 is the first. */
  get generation(): number {
    return this.#watch.cell.generation;
  }

  onUpdate(listener: (svid: X509Svid, generation: number) => void): () => void {
    return this.#watch.cell.onChange(({ svid }, generation) => listener(svid, generation));
  }

  /** The next SVID or bundle change. @throws SpiffeError `SOURCE_CLOSED`; the signal's reason when it is aborted */
  async waitForUpdate(options: { signal?: AbortSignal } = {}): Promise<X509Svid> {
    return (await this.#watch.waitForUpdate(options)).svid;
  }

  health(): SourceHealth {
    const { lastError } = this.#watch;
    const shown = lastError === undefined ? {} : { lastError };
    try {
      const { expiresAtMs } = this.getX509Svid();
      if (expiresAtMs <= this.#clock.now()) return { state: 'unhealthy', expiresAtMs, ...shown };
      return { state: lastError === undefined ? 'healthy' : 'degraded', expiresAtMs, ...shown };
    } catch (error) {
      return { state: 'unhealthy', expiresAtMs: 0, lastError: error as Error };
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#watch.close().then(() => {
      if (this.#ownsClient) this.#client.close();
    });
    return this.#closing;
  }

  /** Nothing is in flight that could be drained, so the same as `close`. */
  destroy(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function sameBytes(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, index) => Buffer.compare(bytes, b[index] ?? new Uint8Array()) === 0);
}

function sameSnapshot(a: Snapshot, b: Snapshot): boolean {
  if (!sameBytes(a.svid.certificates, b.svid.certificates) || a.bundles.size !== b.bundles.size) return false;
  return [...a.bundles].every(([name, { authorities }]) => {
    const other = b.bundles.get(name);
    return other !== undefined && sameBytes(authorities, other.authorities);
  });
}

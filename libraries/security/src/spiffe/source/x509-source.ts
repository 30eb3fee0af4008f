import { type Clock, secondsLeft, systemClock } from '../../common/index.ts';
import type { X509Bundle, X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { X509Svid, X509SvidSource } from '../svid/x509/x509-svid.ts';
import type { TrustDomain } from '../trust-domain.ts';
import { WorkloadApiClient } from '../workload-api/client.ts';
import type { X509Context } from '../workload-api/responses.ts';
import type { SourceHealth, SourceOptions } from './source-options.ts';
import { svidReport } from './spiffe-metrics.ts';
import { Staleness } from './staleness.ts';
import { SyncedWatch } from './synced-watch.ts';

export interface X509SourceOptions extends SourceOptions {
  /** Chooses among several identities. Default: the first, which is the agent's default. */
  readonly pick?: (svids: readonly [X509Svid, ...X509Svid[]]) => X509Svid;
  /**
   * The share of an SVID's life after which the next one is overdue: the stream is opened anew and the health is `degraded`.
   * Between 0 and 1, default 0.8; the agent replaces SVIDs at about half of their life.
   */
  readonly staleShare?: number;
}

const DEFAULT_STALE_SHARE = 0.8;

type WithdrawListener = (error: SpiffeError) => void;

interface Snapshot {
  readonly svid: X509Svid;
  readonly bundles: ReadonlyMap<string, X509Bundle>;
  readonly revocationLists: readonly Uint8Array[];
}

/** The workload's X509-SVID and its trust bundles, kept current by the agent. One snapshot holds both. */
export class X509Source implements X509SvidSource, X509BundleSource {
  readonly #watch: SyncedWatch<Snapshot>;
  readonly #client: WorkloadApiClient;
  readonly #ownsClient: boolean;
  readonly #clock: Clock;
  readonly #staleness: Staleness;
  readonly #withdrawals: Set<WithdrawListener>;
  readonly #unwatch: () => void;
  #reopenings = 0;
  #closing: Promise<void> | undefined;

  private constructor(
    watch: SyncedWatch<Snapshot>,
    client: WorkloadApiClient,
    withdrawals: Set<WithdrawListener>,
    options: X509SourceOptions,
  ) {
    this.#watch = watch;
    this.#withdrawals = withdrawals;
    this.#client = client;
    this.#ownsClient = options.client === undefined;
    this.#clock = options.clock ?? systemClock;
    const report = svidReport(options.metrics);
    this.#staleness = new Staleness({
      clock: this.#clock,
      share: options.staleShare ?? DEFAULT_STALE_SHARE,
      onStale: () => {
        this.#reopenings += 1;
        report.streamReopened('x509');
        watch.reopen();
      },
    });
    const held = watch.cell.get();
    if (held !== undefined) this.#staleness.hold(held.svid);
    watch.cell.onChange(({ svid }) => this.#staleness.hold(svid));
    this.#unwatch = report.watchSvid('x509', () => secondsLeft(this.#clock, this.health().expiresAtMs));
  }

  /** Resolves when the first SVID is there. @throws SpiffeError `SOURCE_NOT_READY` with what the agent said as cause */
  static async open(options: X509SourceOptions = {}): Promise<X509Source> {
    const { clock = systemClock, pick = ([first]) => first, staleShare = DEFAULT_STALE_SHARE } = options;
    if (!(staleShare > 0 && staleShare < 1)) throw new RangeError('staleShare must lie between 0 and 1');
    const withdrawals = new Set<WithdrawListener>();
    const report = svidReport(options.metrics);
    const client = options.client ?? new WorkloadApiClient({ endpoint: options.endpoint, clock });
    try {
      const watch = await SyncedWatch.open<Snapshot>({
        what: 'X509-SVID',
        watch: (handler, control) =>
          client.watchX509Context(
            {
              update: ({ svids, bundles, revocationLists }: X509Context) =>
                handler.update({ svid: pick(svids), bundles, revocationLists }),
              error: (error: SpiffeError) => handler.error?.(error),
            },
            control,
          ),
        clock,
        initialSyncTimeoutMs: options.initialSyncTimeoutMs ?? 10_000,
        deniedGraceMs: options.deniedGraceMs ?? 0,
        signal: options.signal,
        same: sameSnapshot,
        onUpdate: ({ svid }) => report.svidFetch('x509', 'success', 0, svid),
        onError: () => report.svidFetch('x509', 'error', 0),
        onWithdraw: (error) => {
          report.svidWithdrawn('x509');
          for (const listener of [...withdrawals]) listener(error);
        },
      });
      return new X509Source(watch, client, withdrawals, options);
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

  /** The agent's certificate revocation lists, for `verifyX509Svid`; mostly none. @throws SpiffeError as `getX509Svid` */
  getRevocationLists(): readonly Uint8Array[] {
    return this.#watch.get().revocationLists;
  }

  /** How often the stream was opened anew because the next SVID was overdue. */
  get reopenings(): number {
    return this.#reopenings;
  }

  /** Counts the changes of the snapshot; 1 is the first. */
  get generation(): number {
    return this.#watch.cell.generation;
  }

  onUpdate(listener: (svid: X509Svid, generation: number) => void): () => void {
    return this.#watch.cell.onChange(({ svid }, generation) => listener(svid, generation));
  }

  /** The agent denied the SVID and its grace is over: nothing is served until it gives one again, which is an update. */
  onWithdraw(listener: WithdrawListener): () => void {
    this.#withdrawals.add(listener);
    return () => this.#withdrawals.delete(listener);
  }

  /** The next SVID or bundle change. @throws SpiffeError `SOURCE_CLOSED`; the signal's reason when it is aborted */
  async waitForUpdate(options: { signal?: AbortSignal } = {}): Promise<X509Svid> {
    return (await this.#watch.waitForUpdate(options)).svid;
  }

  health(): SourceHealth {
    const lastError = this.#watch.lastError ?? (this.#staleness.isStale ? overdue() : undefined);
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
    this.#staleness.stop();
    this.#unwatch();
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

function overdue(): SpiffeError {
  const message = 'The agent has not replaced the X509-SVID in time: check the agent and its server';
  return new SpiffeError('SVID_STALE', message, { retryable: true });
}

function sameBytes(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, index) => Buffer.compare(bytes, b[index] ?? new Uint8Array()) === 0);
}

function sameSnapshot(a: Snapshot, b: Snapshot): boolean {
  if (!sameBytes(a.svid.certificates, b.svid.certificates) || a.bundles.size !== b.bundles.size) return false;
  if (!sameBytes(a.revocationLists, b.revocationLists)) return false;
  return [...a.bundles].every(([name, { authorities }]) => {
    const other = b.bundles.get(name);
    return other !== undefined && sameBytes(authorities, other.authorities);
  });
}

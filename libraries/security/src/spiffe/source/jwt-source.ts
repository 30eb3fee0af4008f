import { BoundedMap, type Clock, SingleFlight, secondsLeft, systemClock, withSignal } from '../../common/index.ts';
import type { JwtBundle, JwtBundleSource, JwtKey } from '../bundle/jwt/jwt-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { SpiffeId } from '../spiffe-id.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import type { TrustDomain } from '../trust-domain.ts';
import { WorkloadApiClient } from '../workload-api/client.ts';
import { pickByHint } from './pick-by-hint.ts';
import type { SourceHealth, SourceOptions } from './source-options.ts';
import { type SpiffeMetrics, svidReport } from './spiffe-metrics.ts';
import { SyncedWatch } from './synced-watch.ts';

export interface JwtSvidRequest {
  readonly audience: string | readonly string[];
  /** Default: the agent's default identity. */
  readonly subject?: SpiffeId | string | undefined;
  /** Takes the identity that the operator gave this hint; without one that has it the call fails. Default: the first. */
  readonly hint?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface JwtSourceOptions extends SourceOptions {
  /** A token is fetched anew at this share of its life, measured on its own `iat` and `exp`. Between 0 and 1, default 0.8. */
  readonly refreshShare?: number;
}

interface Cached {
  readonly svid: JwtSvid;
  readonly refreshAtMs: number;
}

const DEFAULT_REFRESH_SHARE = 0.8;
/** The agent may answer with the same token for a while: ask again after this share of what is left of it. */
const REPEAT_SHARE = 0.25;
/** In milliseconds; close to a token's end its share would be next to nothing. */
const MIN_REPEAT_MS = 500;
const MAX_CACHED = 256;

/** JWT-SVIDs of the workload, cached by audience and identity, and the JWT bundles that verify those of others. */
export class JwtSource implements JwtBundleSource {
  readonly #client: WorkloadApiClient;
  readonly #ownsClient: boolean;
  readonly #watch: SyncedWatch<ReadonlyMap<string, JwtBundle>>;
  readonly #clock: Clock;
  readonly #report: Required<SpiffeMetrics>;
  readonly #unwatch: () => void;
  readonly #refreshShare: number;
  readonly #cache = new BoundedMap<string, Cached>(MAX_CACHED);
  readonly #flights = new SingleFlight<string, JwtSvid>();
  #closing: Promise<void> | undefined;

  private constructor(
    watch: SyncedWatch<ReadonlyMap<string, JwtBundle>>,
    client: WorkloadApiClient,
    options: JwtSourceOptions,
  ) {
    this.#watch = watch;
    this.#client = client;
    this.#ownsClient = options.client === undefined;
    this.#clock = options.clock ?? systemClock;
    this.#report = svidReport(options.metrics);
    this.#refreshShare = options.refreshShare ?? DEFAULT_REFRESH_SHARE;
    this.#unwatch = this.#report.watchSvid('jwt', () => secondsLeft(this.#clock, this.health().expiresAtMs));
  }

  /** Resolves when the first bundles are there. @throws SpiffeError `SOURCE_NOT_READY` */
  static async open(options: JwtSourceOptions = {}): Promise<JwtSource> {
    const { clock = systemClock, refreshShare = DEFAULT_REFRESH_SHARE } = options;
    if (!(refreshShare > 0 && refreshShare < 1)) throw new RangeError('refreshShare must lie between 0 and 1');
    const client = options.client ?? new WorkloadApiClient({ endpoint: options.endpoint, clock });
    try {
      const watch = await SyncedWatch.open<ReadonlyMap<string, JwtBundle>>({
        what: 'JWT bundle',
        watch: (handler, control) => client.watchJwtBundles(handler, control),
        clock,
        initialSyncTimeoutMs: options.initialSyncTimeoutMs ?? 10_000,
        deniedGraceMs: options.deniedGraceMs ?? 0,
        signal: options.signal,
        same: sameBundles,
        onWithdraw: () => svidReport(options.metrics).svidWithdrawn('jwt'),
      });
      return new JwtSource(watch, client, options);
    } catch (error) {
      if (options.client === undefined) client.close();
      throw error;
    }
  }

  /**
   * A token that is valid now. One in the cache is served until 80 % of its life and fetched anew in the background
   * until it expires; an expired one is never served.
   * @throws SpiffeError `WORKLOAD_API_*` when there is none and the agent gives none
   */
  async fetchJwtSvid(request: JwtSvidRequest): Promise<JwtSvid> {
    return this.cachedJwtSvid(request) ?? withSignal(this.#refresh(request), request.signal);
  }

  /** What `fetchJwtSvid` would serve from the cache, at once, fetched anew in the background as there; undefined without one. */
  cachedJwtSvid(request: JwtSvidRequest): JwtSvid | undefined {
    const nowMs = this.#clock.now();
    const cached = this.#cache.get(keyOf(request), nowMs);
    // A failure is known to the metrics, and to the caller once the token at hand has expired.
    if (cached !== undefined && nowMs >= cached.refreshAtMs) this.#refresh(request).catch(() => undefined);
    return cached?.svid;
  }

  /** @throws SpiffeError `SVID_WITHDRAWN`, `SOURCE_CLOSED` */
  getJwtBundle(trustDomain: TrustDomain): JwtBundle | undefined {
    return this.#watch.get().get(trustDomain.name);
  }

  /** The bundles changed. */
  onUpdate(listener: () => void): () => void {
    return this.#watch.cell.onChange(() => listener());
  }

  health(): SourceHealth {
    const { lastError } = this.#watch;
    const ends = [...this.#cache.values()].map(({ svid }) => svid.expiresAtMs);
    const expiresAtMs = Math.min(...ends.filter((endMs) => endMs > this.#clock.now()), Number.MAX_SAFE_INTEGER);
    try {
      this.#watch.get();
    } catch (error) {
      return { state: 'unhealthy', expiresAtMs: 0, lastError: error as Error };
    }
    return lastError === undefined ? { state: 'healthy', expiresAtMs } : { state: 'degraded', expiresAtMs, lastError };
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#unwatch();
    this.#closing ??= this.#watch.close().then(() => {
      this.#cache.clear();
      if (this.#ownsClient) this.#client.close();
    });
    return this.#closing;
  }

  /** Fetches in flight fail; otherwise the same as `close`. */
  destroy(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refresh(request: JwtSvidRequest): Promise<JwtSvid> {
    const key = keyOf(request);
    return this.#flights.run(key, () => this.#fetch(key, request));
  }

  async #fetch(key: string, { audience, subject, hint }: JwtSvidRequest): Promise<JwtSvid> {
    if (this.#closing !== undefined) throw new SpiffeError('SOURCE_CLOSED', 'The source of JWT-SVIDs is closed');
    const startedMs = this.#clock.monotonicMs();
    const seconds = (): number => (this.#clock.monotonicMs() - startedMs) / 1000;
    try {
      const svids = await this.#client.fetchJwtSvids({ audience: sorted(audience), subject });
      const svid = hint === undefined ? svids[0] : pickByHint(hint)(svids);
      if (svid.expiresAtMs <= this.#clock.now()) {
        throw new SpiffeError('JWT_EXPIRED', 'The agent handed out a JWT-SVID that has expired', { retryable: true });
      }
      this.#report.svidFetch('jwt', 'success', seconds(), svid);
      this.#keep(key, svid);
      return svid;
    } catch (error) {
      this.#report.svidFetch('jwt', 'error', seconds());
      const denied = error instanceof SpiffeError && error.code === 'WORKLOAD_API_PERMISSION_DENIED';
      // W-14: what was denied is not served from the cache.
      if (denied) this.#cache.delete(key);
      else this.#postpone(key);
      throw error;
    }
  }

  #keep(key: string, svid: JwtSvid): void {
    const nowMs = this.#clock.now();
    const same = this.#cache.get(key)?.svid.token.reveal() === svid.token.reveal();
    const issuedAtMs = svid.issuedAtMs ?? nowMs;
    const dueMs = issuedAtMs + this.#refreshShare * (svid.expiresAtMs - issuedAtMs);
    const refreshAtMs = same ? repeatAtMs(svid, nowMs) : dueMs;
    this.#cache.set(key, { svid, refreshAtMs }, svid.expiresAtMs);
  }

  /** After a failure the token at hand serves on; the next try waits. */
  #postpone(key: string): void {
    const cached = this.#cache.get(key);
    const nowMs = this.#clock.now();
    if (cached === undefined) return;
    this.#cache.set(key, { svid: cached.svid, refreshAtMs: repeatAtMs(cached.svid, nowMs) }, cached.svid.expiresAtMs);
  }
}

function keyOf({ audience, subject, hint }: JwtSvidRequest): string {
  return JSON.stringify([sorted(audience), subject?.toString() ?? '', hint ?? '']);
}

function sorted(audience: JwtSvidRequest['audience']): readonly string[] {
  return typeof audience === 'string' ? [audience] : [...audience].sort();
}

function repeatAtMs({ expiresAtMs }: JwtSvid, nowMs: number): number {
  return nowMs + Math.max(MIN_REPEAT_MS, REPEAT_SHARE * (expiresAtMs - nowMs));
}

function sameBundles(a: ReadonlyMap<string, JwtBundle>, b: ReadonlyMap<string, JwtBundle>): boolean {
  return a.size === b.size && [...a].every(([name, { keys }]) => sameKeys(keys, b.get(name)?.keys ?? []));
}

function sameKeys(a: readonly JwtKey[], b: readonly JwtKey[]): boolean {
  return (
    a.length === b.length &&
    a.every((key, index) => {
      const other = b[index];
      return (
        other !== undefined &&
        key.kid === other.kid &&
        key.algorithm === other.algorithm &&
        key.publicKey.equals(other.publicKey)
      );
    })
  );
}

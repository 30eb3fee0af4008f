import { type Clock, type Logger, silentLogger, systemClock } from '../../common/index.ts';
import type { JwtBundle, JwtBundleSource } from '../bundle/jwt/jwt-bundle.ts';
import type { SpiffeBundle } from '../bundle/spiffe/spiffe-bundle.ts';
import type { X509Bundle, X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import { BundleSource } from '../source/bundle-source.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { TrustDomain } from '../trust-domain.ts';
import { type BundleEndpoint, isSelfServing, type ResolvedEndpoint, resolveEndpoint } from './bundle-endpoint.ts';
import type { BundleMetrics } from './bundle-metrics.ts';
import { type RelationshipHealth, RelationshipPoller } from './relationship.ts';
import type { RefreshLimits } from './watch-bundle.ts';

export type { RelationshipHealth } from './relationship.ts';

/** A foreign trust domain, where its bundle comes from, and what is known of it beforehand. */
export type Relationship = BundleEndpoint & {
  /** Counts until the first fetch. An endpoint that serves its own trust domain over `https_spiffe` needs one. */
  readonly initialBundle?: SpiffeBundle;
};

export interface FederationOptions extends RefreshLimits {
  readonly relationships: readonly Relationship[];
  /**
   * The bundles of trust domains that are known otherwise, such as an `X509Source`. Used to verify endpoints whose server
   * is in a trust domain without a relationship here.
   */
  readonly bundles?: X509BundleSource;
  /** For one fetch, in milliseconds; default 30 000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly metrics?: BundleMetrics;
  /** Aborts the opening. */
  readonly signal?: AbortSignal;
}

/**
 * The bundles of foreign trust domains, each fetched from its own endpoint and kept current. It verifies the SVIDs of
 * these trust domains and of no others; `firstX509BundleSource` and `firstJwtBundleSource` put it beside one's own.
 */
export class Federation implements X509BundleSource, JwtBundleSource {
  readonly #options: FederationOptions;
  readonly #store = new BundleSource();
  readonly #pollers = new Map<string, RelationshipPoller>();
  #closing: Promise<void> | undefined;

  private constructor(options: FederationOptions) {
    this.#options = options;
  }

  /**
   * Resolves when every bundle was fetched or could not be: a foreign trust domain that is down keeps nobody from
   * starting. `health` says which is which.
   * @throws TypeError, SpiffeError for a relationship that is configured wrongly; the signal's reason
   */
  static async open(options: FederationOptions): Promise<Federation> {
    const { signal } = options;
    signal?.throwIfAborted();
    const federation = new Federation(options);
    const waiting = options.relationships.map((relationship) => federation.#admit(relationship));
    const onAbort = (): void => void federation.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    await federation.#fetchFirst(waiting);
    signal?.removeEventListener('abort', onAbort);
    if (!signal?.aborted) return federation;
    await federation.close();
    throw signal.reason;
  }

  getX509Bundle(trustDomain: TrustDomain): X509Bundle | undefined {
    return this.#store.getX509Bundle(trustDomain);
  }

  getJwtBundle(trustDomain: TrustDomain): JwtBundle | undefined {
    return this.#store.getJwtBundle(trustDomain);
  }

  getSpiffeBundle(trustDomain: TrustDomain): SpiffeBundle | undefined {
    return this.#store.getSpiffeBundle(trustDomain);
  }

  /** Calls back with the trust domain whose bundle came, changed or went. */
  onUpdate(listener: (trustDomain: TrustDomain) => void): () => void {
    return this.#store.onUpdate(listener);
  }

  /** Begins a relationship; resolves after its first fetch, whatever came of it. @throws as `open` */
  async establish(relationship: Relationship): Promise<void> {
    if (this.#closing !== undefined) throw new SpiffeError('SOURCE_CLOSED', 'The federation is closed');
    await this.#admit(relationship).start();
  }

  /**
   * Puts a bundle in place by hand. It counts until the next fetch, whose bundle takes its place whatever the sequence
   * numbers say (Federation, 4.2).
   * @throws TypeError without a relationship
   */
  override(bundle: SpiffeBundle): void {
    const poller = this.#pollers.get(bundle.trustDomain.name);
    if (poller === undefined) throw new TypeError(`bundle: there is no relationship with ${bundle.trustDomain}`);
    poller.override(bundle);
  }

  /** Ends a relationship: its bundle is deleted at once and not fetched again. Answers whether there was one. */
  async end(trustDomain: TrustDomain | string): Promise<boolean> {
    const domain = typeof trustDomain === 'string' ? TrustDomain.parse(trustDomain) : trustDomain;
    const poller = this.#pollers.get(domain.name);
    if (poller === undefined) return false;
    this.#pollers.delete(domain.name);
    this.#store.delete(domain);
    await poller.stop();
    return true;
  }

  health(): readonly RelationshipHealth[] {
    return [...this.#pollers.values()].map((poller) => poller.health());
  }

  /** Ends the fetching; the bundles stay readable. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#pollers.values()].map((poller) => poller.stop())).then(() => undefined);
    return this.#closing;
  }

  /** Fetches in flight are given up by `close` already, so the same. */
  destroy(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #fetchFirst(pollers: readonly RelationshipPoller[]): Promise<void> {
    let waiting = pollers;
    // An endpoint that another trust domain serves can be verified only once that one's bundle is there.
    while (waiting.length > 0) {
      const able = waiting.filter(({ endpoint }) => this.#canVerify(endpoint));
      const round = able.length > 0 ? able : waiting;
      await Promise.all(round.map((poller) => poller.start()));
      waiting = waiting.filter((poller) => !round.includes(poller));
    }
  }

  #admit(relationship: Relationship): RelationshipPoller {
    const endpoint = resolveEndpoint(relationship);
    const { trustDomain } = endpoint;
    if (this.#pollers.has(trustDomain.name)) throw new TypeError(`relationships holds ${trustDomain} twice`);
    const { initialBundle } = relationship;
    if (initialBundle === undefined && isSelfServing(endpoint)) {
      throw new TypeError(`initialBundle is missing: the endpoint of ${trustDomain} is verified with its own bundle`);
    }
    if (initialBundle !== undefined && !initialBundle.trustDomain.equals(trustDomain)) {
      throw new TypeError(`initialBundle is one of ${initialBundle.trustDomain} and not of ${trustDomain}`);
    }
    const { clock = systemClock, logger = silentLogger, metrics, timeoutMs = 30_000 } = this.#options;
    const poller = new RelationshipPoller({
      ...this.#options,
      endpoint,
      store: this.#store,
      bundles: { getX509Bundle: (domain) => this.#endpointBundle(domain) },
      timeoutMs,
      clock,
      logger,
      metrics,
    });
    this.#pollers.set(trustDomain.name, poller);
    if (initialBundle !== undefined) this.#store.set(initialBundle);
    return poller;
  }

  /** A trust domain with a relationship is verified by that alone; what was ended must not live on elsewhere. */
  #endpointBundle(trustDomain: TrustDomain): X509Bundle | undefined {
    if (this.#pollers.has(trustDomain.name)) return this.#store.getX509Bundle(trustDomain);
    return this.#options.bundles?.getX509Bundle(trustDomain);
  }

  #canVerify(endpoint: ResolvedEndpoint): boolean {
    if (endpoint.profile === 'https_web') return true;
    return this.#endpointBundle(endpoint.endpointId.trustDomain) !== undefined;
  }
}

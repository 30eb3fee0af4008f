import type { JwtBundle, JwtBundleSource } from '../bundle/jwt/jwt-bundle.ts';
import type { SpiffeBundle } from '../bundle/spiffe/spiffe-bundle.ts';
import type { X509Bundle, X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import type { TrustDomain } from '../trust-domain.ts';

/**
 * The bundles of any number of trust domains, each kept apart from the others (Federation, 4.2). Verification of
 * X509-SVIDs and JWT-SVIDs takes it as it is.
 */
export class BundleSource implements X509BundleSource, JwtBundleSource {
  readonly #listeners = new Set<(trustDomain: TrustDomain) => void>();
  #bundles: ReadonlyMap<string, SpiffeBundle>;

  /** @param bundles By the name of their trust domain, as `parseBundleMap` gives them. */
  constructor(bundles: ReadonlyMap<string, SpiffeBundle> = new Map()) {
    this.#bundles = new Map(assertNames(bundles));
  }

  getSpiffeBundle(trustDomain: TrustDomain): SpiffeBundle | undefined {
    return this.#bundles.get(trustDomain.name);
  }

  getX509Bundle(trustDomain: TrustDomain): X509Bundle | undefined {
    return this.#bundles.get(trustDomain.name)?.x509;
  }

  getJwtBundle(trustDomain: TrustDomain): JwtBundle | undefined {
    return this.#bundles.get(trustDomain.name)?.jwt;
  }

  get trustDomains(): readonly TrustDomain[] {
    return [...this.#bundles.values()].map(({ trustDomain }) => trustDomain);
  }

  /** Takes the place of the bundle of the same trust domain; nothing of that one stays. */
  set(bundle: SpiffeBundle): void {
    this.#bundles = new Map([...this.#bundles, [bundle.trustDomain.name, bundle]]);
    this.#tell(bundle.trustDomain);
  }

  /** Afterwards no SVID of the trust domain is accepted. Answers whether there was a bundle. */
  delete(trustDomain: TrustDomain): boolean {
    if (!this.#bundles.has(trustDomain.name)) return false;
    this.#bundles = new Map([...this.#bundles].filter(([name]) => name !== trustDomain.name));
    this.#tell(trustDomain);
    return true;
  }

  /** Takes the place of all bundles at once; a reader sees all of the old ones or all of the new ones. */
  replaceAll(bundles: ReadonlyMap<string, SpiffeBundle>): void {
    const before = this.#bundles;
    this.#bundles = new Map(assertNames(bundles));
    const touched = new Map([...before, ...bundles]);
    for (const [name, { trustDomain }] of touched) if (before.get(name) !== bundles.get(name)) this.#tell(trustDomain);
  }

  /** Calls back with the trust domain whose bundle came, changed or went. */
  onUpdate(listener: (trustDomain: TrustDomain) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(trustDomain: TrustDomain): void {
    for (const listener of [...this.#listeners]) listener(trustDomain);
  }
}

/** The first source that has a bundle of the trust domain answers for it alone: bundles are never joined. */
export function firstX509BundleSource(...sources: readonly X509BundleSource[]): X509BundleSource {
  return { getX509Bundle: (trustDomain) => firstOf(sources, (source) => source.getX509Bundle(trustDomain)) };
}

/** The same for JWT bundles. */
export function firstJwtBundleSource(...sources: readonly JwtBundleSource[]): JwtBundleSource {
  return { getJwtBundle: (trustDomain) => firstOf(sources, (source) => source.getJwtBundle(trustDomain)) };
}

function firstOf<Source, T>(sources: readonly Source[], read: (source: Source) => T | undefined): T | undefined {
  for (const source of sources) {
    const found = read(source);
    if (found !== undefined) return found;
  }
  return undefined;
}

function assertNames(bundles: ReadonlyMap<string, SpiffeBundle>): ReadonlyMap<string, SpiffeBundle> {
  for (const [name, { trustDomain }] of bundles) {
    if (name !== trustDomain.name) throw new TypeError(`bundles holds the bundle of ${trustDomain} under ${name}`);
  }
  return bundles;
}

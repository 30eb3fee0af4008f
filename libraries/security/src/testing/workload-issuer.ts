import { type Clock, systemClock, type Timer } from '../common/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { IssuedCertificate } from './certificate-authority-options.ts';

export interface WorkloadIssuerOptions {
  readonly authority: CertificateAuthority;
  /** Of an X509-SVID, in seconds; default 3 600. It is replaced at half of its life. */
  readonly x509TtlSeconds?: number;
  /** Of a JWT-SVID, in seconds; default 300. */
  readonly jwtTtlSeconds?: number;
  /** `iss` of JWT-SVIDs. Default: none. */
  readonly issuer?: string;
  readonly clock?: Clock;
}

/** What foreign trust domains are trusted for, by their names. */
export interface FederatedBundles {
  /** Concatenated DER. */
  readonly x509?: Readonly<Record<string, Uint8Array>>;
  /** JWK sets. */
  readonly jwt?: Readonly<Record<string, Uint8Array>>;
}

/**
 * The SVIDs and bundles of one trust domain, shared by the sockets of all its workloads. SVIDs are issued when they are
 * first asked for, replaced at half of their life or on command, and pushed to whoever listens.
 */
export class WorkloadIssuer {
  readonly authority: CertificateAuthority;
  readonly #options: Required<Omit<WorkloadIssuerOptions, 'issuer'>> & { issuer: string | undefined };
  readonly #svids = new Map<string, { readonly svid: IssuedCertificate; readonly timer: Timer }>();
  readonly #listeners = new Set<(id: string | undefined) => void>();
  #federated: FederatedBundles = {};

  constructor(options: WorkloadIssuerOptions) {
    this.authority = options.authority;
    this.#options = {
      x509TtlSeconds: 3_600,
      jwtTtlSeconds: 300,
      clock: systemClock,
      ...options,
      issuer: options.issuer,
    };
  }

  get federated(): FederatedBundles {
    return this.#federated;
  }

  x509Svid(id: string): IssuedCertificate {
    return this.#svids.get(id)?.svid ?? this.#issue(id);
  }

  jwtSvid(id: string, audience: readonly string[]): string {
    const { jwtTtlSeconds, issuer } = this.#options;
    return this.authority.issueJwtSvid({
      id,
      audience,
      ttlSeconds: jwtTtlSeconds,
      ...(issuer === undefined ? {} : { issuer }),
    });
  }

  /** Issues new X509-SVIDs now, for one identity or for all that were ever asked for. Answers how many. */
  rotateX509(id?: string): number {
    const ids = id === undefined ? [...this.#svids.keys()] : [id];
    for (const each of ids) {
      this.#issue(each);
      this.#tell(each);
    }
    return ids.length;
  }

  /** New keys for JWT-SVIDs; the bundle keeps the old ones until they are forgotten. */
  rotateJwtKey(): void {
    this.authority.rotateJwtKey();
    this.#tell(undefined);
  }

  setFederatedBundles(bundles: FederatedBundles): void {
    this.#federated = bundles;
    this.#tell(undefined);
  }

  /** Calls back with the identity whose SVID changed, or with undefined when the bundles did. */
  onChange(listener: (id: string | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const { timer } of this.#svids.values()) timer.cancel();
    this.#svids.clear();
    this.#listeners.clear();
  }

  #issue(id: string): IssuedCertificate {
    const { x509TtlSeconds, clock } = this.#options;
    this.#svids.get(id)?.timer.cancel();
    const svid = this.authority.issueX509Svid({ id, ttlSeconds: x509TtlSeconds });
    const timer = clock.setTimer((x509TtlSeconds * 1000) / 2, () => this.rotateX509(id));
    this.#svids.set(id, { svid, timer });
    return svid;
  }

  #tell(id: string | undefined): void {
    for (const listener of [...this.#listeners]) listener(id);
  }
}

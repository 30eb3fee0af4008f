import type { X509Bundle, X509Svid } from '../spiffe/index.ts';
import { parseX509Svid, SpiffeError, type TrustDomain } from '../spiffe/index.ts';
import type { X509Identity } from '../tls/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { IssuedCertificate } from './certificate-authority-options.ts';

/** The SVID that a workload would read from what an authority issued. */
export function x509SvidOf(issued: Pick<IssuedCertificate, 'certificates' | 'privateKey'>): X509Svid {
  return parseX509Svid({
    certificates: Buffer.concat(issued.certificates),
    privateKey: issued.privateKey.export({ type: 'pkcs8', format: 'der' }),
  });
}

/** An identity without a Workload API, which changes only when told to. */
export class FixedIdentity implements X509Identity {
  readonly #bundles = new Map<string, X509Bundle>();
  readonly #listeners = new Set<() => void>();
  #svid: X509Svid | undefined;

  constructor(svid: X509Svid, bundles: readonly X509Bundle[]) {
    this.#svid = svid;
    for (const bundle of bundles) this.#bundles.set(bundle.trustDomain.name, bundle);
  }

  /** An identity that `authority` issues, for an hour, and that trusts the authority's own trust domain. */
  static issue(authority: CertificateAuthority, id: string, trusted: readonly X509Bundle[] = []): FixedIdentity {
    const svid = x509SvidOf(authority.issueX509Svid({ id, ttlSeconds: 3600 }));
    return new FixedIdentity(svid, [authority.bundle(), ...trusted]);
  }

  getX509Svid(): X509Svid {
    if (this.#svid === undefined) throw new SpiffeError('SVID_WITHDRAWN', 'The X509-SVID was withdrawn');
    return this.#svid;
  }

  getX509Bundle(trustDomain: TrustDomain): X509Bundle | undefined {
    return this.#bundles.get(trustDomain.name);
  }

  /** `undefined` withdraws the SVID. */
  setX509Svid(svid: X509Svid | undefined): void {
    this.#svid = svid;
    this.#tell();
  }

  setX509Bundle(bundle: X509Bundle): void {
    this.#bundles.set(bundle.trustDomain.name, bundle);
    this.#tell();
  }

  deleteX509Bundle(trustDomain: TrustDomain): void {
    this.#bundles.delete(trustDomain.name);
    this.#tell();
  }

  onUpdate(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

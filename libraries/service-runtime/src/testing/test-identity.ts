import { parseX509SvidPem, type TrustDomain, type X509Bundle, type X509Svid } from '@neural-hive/security/spiffe';
import type { CertificateAuthority } from '@neural-hive/security/testing';
import type { X509Identity } from '@neural-hive/security/tls';

/** An identity without an agent: its authority is in the same process and rotates it on command. */
export class TestIdentity implements X509Identity {
  readonly #authority: CertificateAuthority;
  readonly #id: string;
  readonly #listeners = new Set<() => void>();
  #svid: X509Svid;
  generation = 1;

  constructor(authority: CertificateAuthority, id: string) {
    this.#authority = authority;
    this.#id = id;
    this.#svid = this.#issue();
  }

  getX509Svid(): X509Svid {
    return this.#svid;
  }

  getX509Bundle(trustDomain: TrustDomain): X509Bundle | undefined {
    const bundle = this.#authority.bundle();
    return bundle.trustDomain.equals(trustDomain) ? bundle : undefined;
  }

  onUpdate(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  rotate(): void {
    this.#svid = this.#issue();
    this.generation += 1;
    this.changeBundle();
  }

  changeBundle(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #issue(): X509Svid {
    const issued = this.#authority.issueX509Svid({ id: this.#id, ttlSeconds: 80 });
    return parseX509SvidPem(
      issued.certificateChainPem,
      issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    );
  }
}

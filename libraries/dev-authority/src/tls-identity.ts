import { isIP } from 'node:net';
import type { Clock } from '@neural-hive/security/common';
import { CertificateAuthority, type CertificateAuthorityState } from '@neural-hive/security/testing';
import type { StateSection } from './state/journal.ts';

const SERVER_CERTIFICATE_SECONDS = 365 * 86_400;

/** The certificate of the HTTPS listener: its authority is kept, so that clients trust it across restarts. */
export class TlsIdentity implements StateSection {
  readonly #authority: CertificateAuthority;
  readonly #host: string;

  private constructor(authority: CertificateAuthority, host: string) {
    this.#authority = authority;
    this.#host = host;
  }

  /** `trustDomain` only names the authority; its certificates are for TLS servers, not workloads. */
  static create(trustDomain: string, host: string, clock: Clock, saved: unknown): TlsIdentity {
    const authority =
      saved === undefined
        ? CertificateAuthority.create(trustDomain, { commonName: 'dev-authority TLS', clock })
        : CertificateAuthority.import(saved as CertificateAuthorityState, { clock });
    return new TlsIdentity(authority, host);
  }

  get caPem(): string {
    return this.#authority.rootPem;
  }

  /** A new one at each start. */
  serverCertificate(): { certificatePem: string; privateKeyPem: string } {
    const addresses = ['127.0.0.1', '::1', ...(isIP(this.#host) === 0 ? [] : [this.#host])];
    const issued = this.#authority.issueTlsCertificate({
      commonName: 'dev-authority',
      dnsNames: ['localhost'],
      ipAddresses: [...new Set(addresses)],
      usages: ['serverAuth'],
      ttlSeconds: SERVER_CERTIFICATE_SECONDS,
    });
    return {
      certificatePem: issued.certificateChainPem,
      privateKeyPem: issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }

  save(): unknown {
    return this.#authority.export();
  }
}

import type { Clock } from '@neural-hive/security/common';
import { CertificateAuthority, type CertificateAuthorityState } from '@neural-hive/security/testing';
import { AuthorityError } from '../authority-error.ts';
import type { ResolvedConfig } from '../config.ts';
import type { StateSection } from '../state/journal.ts';

type SpiffeSettings = Pick<ResolvedConfig, 'trustDomain' | 'issuer' | 'x509TtlSeconds' | 'jwtTtlSeconds' | 'workloads'>;

/** The trust domain's authority, whose keys are kept, and one Workload API socket for each workload. */
export class SpiffeAuthority implements StateSection {
  readonly #authority: CertificateAuthority;
  readonly #settings: SpiffeSettings;

  private constructor(settings: SpiffeSettings, authority: CertificateAuthority) {
    this.#settings = settings;
    this.#authority = authority;
  }

  static create(settings: SpiffeSettings, clock: Clock, saved: unknown): SpiffeAuthority {
    const state = saved as CertificateAuthorityState | undefined;
    if (state !== undefined && state.trustDomain !== settings.trustDomain) {
      throw new AuthorityError(
        'config_invalid',
        `The state is that of trust domain ${state.trustDomain}: use another stateFolder`,
      );
    }
    const authority =
      state === undefined
        ? CertificateAuthority.create(settings.trustDomain, { clock })
        : CertificateAuthority.import(state, { clock });
    return new SpiffeAuthority(settings, authority);
  }

  async listen(): Promise<void> {
    if (this.#settings.workloads.length > 0)
      throw new AuthorityError('config_invalid', 'workloads: cannot be served yet');
  }

  jwks(): Uint8Array {
    return this.#authority.jwks();
  }

  async rotateX509(_spiffeId?: string): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {}

  save(): unknown {
    return this.#authority.export();
  }
}

import type { SpiffeBundle } from '../spiffe/index.ts';
import type { CertificateAuthority } from './certificate-authority.ts';

/** The bundle of a test authority, as `parseSpiffeBundle` would give it. */
export function spiffeBundleOf(
  authority: CertificateAuthority,
  numbers: { readonly sequence?: bigint; readonly refreshHintSeconds?: number } = {},
): SpiffeBundle {
  const { trustDomain } = authority;
  return {
    trustDomain,
    sequence: numbers.sequence,
    refreshHintSeconds: numbers.refreshHintSeconds,
    x509: authority.bundle(),
    jwt: authority.jwtBundle(),
    ignored: [],
  };
}

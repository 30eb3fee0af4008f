import type { TokenCacheMetrics } from '../../cache/index.ts';
import type { CredentialMetrics } from '../../credentials/index.ts';
import type { BundleMetrics, SpiffeMetrics } from '../../spiffe/index.ts';
import type { FailOpenMetrics, VaultMetrics } from '../../vault/index.ts';
import type { AuthMetrics } from '../grpc/auth-metrics.ts';
import { authMetrics } from './auth.ts';
import { credentialMetrics } from './credentials.ts';
import { failOpenMetrics } from './fail-open.ts';
import type { Instruments } from './instruments.ts';
import { bundleMetrics, spiffeMetrics } from './spiffe.ts';
import { tokenCacheMetrics } from './token-cache.ts';
import { vaultMetrics } from './vault.ts';

/** Each part goes into the option `metrics` of what it is named after. */
export interface LibraryMetrics {
  /** For `VaultClient`. */
  readonly vault: VaultMetrics;
  /** For `X509Source`, `JwtSource`, `SpiffeManager` and `FileSource`. */
  readonly spiffe: SpiffeMetrics;
  /** For `SpiffeAuthInterceptor`. */
  readonly auth: AuthMetrics;
  /** For federation. */
  readonly bundles: BundleMetrics;
  /** For `RotatingCredential`. */
  readonly credentials: CredentialMetrics;
  /** For `TokenCache`: the caches of a process share it and add up. */
  readonly tokenCache: TokenCacheMetrics;
  /** For `FailOpen`. */
  readonly failOpen: FailOpenMetrics;
}

/** The library's metrics, made once for every system that counts. */
export function libraryMetrics(instruments: Instruments): LibraryMetrics {
  return {
    vault: vaultMetrics(instruments),
    spiffe: spiffeMetrics(instruments),
    auth: authMetrics(instruments),
    bundles: bundleMetrics(instruments),
    credentials: credentialMetrics(instruments),
    tokenCache: tokenCacheMetrics(instruments),
    failOpen: failOpenMetrics(instruments),
  };
}

import { jwtAuth, kubernetesAuth, type Logger, VaultClient, type VaultMetrics } from '@neural-hive/security/vault';
import type { WorkerConfig } from '../../config.ts';

export interface OpenVaultOptions {
  readonly config: WorkerConfig['vault'];
  /** A fresh JWT-SVID for Vault. */
  readonly fetchToken: (options: { signal?: AbortSignal | undefined }) => Promise<string>;
  readonly logger: Logger;
  readonly metrics?: VaultMetrics | undefined;
  readonly signal: AbortSignal;
}

/** Logs in to Vault as the worker: by its service account in a cluster, by its JWT-SVID elsewhere. */
export function openVault({ config, fetchToken, logger, metrics, signal }: OpenVaultOptions): Promise<VaultClient> {
  const { role, tokenFile } = config;
  return VaultClient.open({
    address: config.address,
    ...(config.caFile === undefined ? {} : { ca: { file: config.caFile } }),
    ...(config.namespace === undefined ? {} : { namespace: config.namespace }),
    auth: config.auth === 'jwt' ? jwtAuth({ role, fetchToken }) : kubernetesAuth({ role, tokenFile }),
    requestTimeoutMs: config.requestTimeoutMs,
    maxRetries: config.maxRetries,
    logger,
    ...(metrics === undefined ? {} : { metrics }),
    signal,
  });
}

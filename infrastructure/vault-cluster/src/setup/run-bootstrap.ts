import { AUDIENCES } from '@neural-hive/contracts';
import { kubernetesAuth, VaultClient } from '@neural-hive/security/vault';
import type { SetupReport } from '@neural-hive/vault-setup';
import type { Settings } from '../settings.ts';
import { waitFor } from '../wait.ts';
import { applyCluster } from './apply-cluster.ts';

/** The role in Vault, its policy and the service account have one name. */
export const BOOTSTRAP_ROLE = 'vault-bootstrap';

export interface RunBootstrapOptions {
  /** The projected service account token. */
  readonly tokenFile: string;
  readonly log: (line: string) => void;
  readonly intervalMs?: number;
}

/** Applies the settings logged in by the kubernetes method, as soon as the init Job has made that possible. */
export async function runBootstrap(settings: Settings, options: RunBootstrapOptions): Promise<SetupReport> {
  const { tokenFile, log, intervalMs } = options;
  const client = await waitFor('a login as vault-bootstrap', () => logIn(settings, BOOTSTRAP_ROLE, tokenFile), {
    log,
    ...(intervalMs === undefined ? {} : { intervalMs }),
  });
  try {
    return await applyCluster(client, settings, log);
  } finally {
    await client.close();
  }
}

/** A client logged in by the kubernetes method. */
export function logIn(
  { cluster }: Pick<Settings, 'cluster'>,
  role: string,
  tokenFile: string,
  more: { readonly maxResponseBytes?: number } = {},
): Promise<VaultClient> {
  return VaultClient.open({
    address: cluster.address,
    ...(cluster.ca === undefined ? {} : { ca: { file: cluster.ca } }),
    auth: kubernetesAuth({ role, tokenFile, audience: AUDIENCES.vault }),
    openTimeoutMs: 10_000,
    ...more,
  });
}

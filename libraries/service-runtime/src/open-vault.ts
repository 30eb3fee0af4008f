import type { VaultConfig } from '@neural-hive/security/config';
import type { JwtSource } from '@neural-hive/security/spiffe';
import { FailOpen, LeaseJournal, VaultClient } from '@neural-hive/security/vault';
import { withResources } from './resource-stack.ts';
import type { ServiceContext } from './run-service.ts';
import { vaultAuth } from './vault-login.ts';

export interface OpenVaultOptions {
  readonly config: VaultConfig;
  /** Gives the JWT-SVIDs to log in with. */
  readonly jwt: Pick<JwtSource, 'fetchJwtSvid'>;
  readonly context: Pick<ServiceContext, 'log' | 'metrics' | 'signal'>;
}

/** Vault as a service has it. */
export interface ServiceVault {
  readonly client: VaultClient;
  /** Revokes what is leased, and forgets the journal of it. */
  close(): Promise<void>;
}

/**
 * Logs in to Vault and, with a folder for it, keeps a journal of what is leased: what a killed process of this service
 * left there is revoked before anything new is leased. With `VAULT_FAIL_OPEN` it waits for a Vault that is not there,
 * else it rejects.
 */
export function openVault({ config, jwt, context }: OpenVaultOptions): Promise<ServiceVault> {
  const { log, metrics, signal } = context;
  return withResources(async (resources) => {
    // Under the client, so that it closes after it: what the client cannot revoke stays in it.
    let journal: LeaseJournal | undefined;
    resources.defer(() => journal?.close());
    const open = ({ signal: given }: { readonly signal: AbortSignal }): Promise<VaultClient> =>
      VaultClient.open({
        address: config.address,
        auth: vaultAuth(config.login, jwt),
        requestTimeoutMs: config.requestTimeoutMs,
        maxRetries: config.maxRetries,
        ...(config.ca !== undefined && { ca: config.ca }),
        ...(config.namespace !== undefined && { namespace: config.namespace }),
        // Failing open has its own repetitions, which are told.
        ...(config.failOpen && { openTimeoutMs: 0 }),
        metrics: metrics.vault,
        logger: log,
        signal: AbortSignal.any([given, signal]),
      });
    const { environment } = config;
    const client = config.failOpen
      ? await resources
          .use(await FailOpen.open({ open, environment, metrics: metrics.failOpen, logger: log }))
          .whenReady({ signal })
      : resources.use(await open({ signal }));
    if (config.leaseJournalFolder !== undefined) {
      journal = await LeaseJournal.open(client, { folder: config.leaseJournalFolder, logger: log, signal });
    }
    return { client, close: () => resources.close() };
  });
}

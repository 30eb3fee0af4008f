import { readFile } from 'node:fs/promises';
import { DATABASE_ROLES } from '@neural-hive/contracts';
import type { Clock } from '@neural-hive/security/common';
import {
  databaseCredentials,
  parseLogin,
  RotatingCredential,
  type SecurityHealthParts,
} from '@neural-hive/security/credentials';
import { jwtAuth, kubernetesAuth, VaultClient } from '@neural-hive/security/vault';
import {
  type BoardEntry,
  injectedSecret,
  type ResourceStack,
  rotatingEntry,
  type ServiceContext,
  type ServiceIdentity,
  vaultTokenEntry,
} from '@neural-hive/service-runtime';
import { MemoryStore } from './adapters/memory-store.ts';
import type { RegistryConfig } from './config.ts';
import type { AgentStore } from './domain/agent-store.ts';

/** Where the agents are kept, and what that hangs on. */
export interface OpenedStore {
  readonly store: AgentStore & { readonly fault: Error | undefined };
  /** The time that all who share the store agree on. */
  readonly clock?: Clock;
  readonly credentials: readonly BoardEntry[];
  readonly health: Pick<SecurityHealthParts, 'vault' | 'credentials'>;
}

interface Parts {
  readonly config: RegistryConfig['store'];
  readonly context: ServiceContext;
  readonly resources: ResourceStack;
  /** For the login to Vault. */
  readonly jwt: ServiceIdentity['jwt'];
}

export function openStore(parts: Parts): Promise<OpenedStore> {
  const { config, ...rest } = parts;
  return config.kind === 'memory' ? openMemory(config.journalPath, rest) : openRedis(config, rest);
}

type Surroundings = Omit<Parts, 'config'>;

async function openMemory(journalPath: string | undefined, { context, resources }: Surroundings): Promise<OpenedStore> {
  const store = resources.use(await MemoryStore.open({ journalPath }));
  if (journalPath === undefined) context.log.warn('no journal: agents are forgotten when the registry stops');
  if (store.tornBytes > 0) context.log.warn({ bytes: store.tornBytes }, 'dropped the torn end of the journal');
  return { store, credentials: [], health: {} };
}

/** How long the connections may take to log in again; one of them may wait for a second in a blocking command. */
const DRAIN_MS = 10_000;

async function openRedis(
  config: Extract<RegistryConfig['store'], { kind: 'redis' }>,
  { context, resources, jwt }: Surroundings,
): Promise<OpenedStore> {
  // A registry that keeps its agents in memory does without the driver.
  const [{ probeRedis, RedisLink }, { RedisStore }] = await Promise.all([
    import('./adapters/redis/redis-link.ts'),
    import('./adapters/redis/redis-store.ts'),
  ]);
  const { log: logger, signal, metrics } = context;
  const { vault } = config;
  const { host, port, caFile } = config.place;
  const place = { host, port, ...(caFile !== undefined && { ca: await readFile(caFile, 'utf8') }) };
  const client = resources.use(
    await VaultClient.open({
      address: vault.address,
      auth: config.login.method === 'jwt' ? jwtAuth({ ...config.login, source: jwt }) : kubernetesAuth(config.login),
      requestTimeoutMs: vault.requestTimeoutMs,
      maxRetries: vault.maxRetries,
      ...(vault.ca !== undefined && { ca: vault.ca }),
      ...(vault.namespace !== undefined && { namespace: vault.namespace }),
      metrics: metrics.vault,
      logger,
      signal,
    }),
  );
  const login = resources.use(
    await RotatingCredential.open({
      provider:
        injectedSecret({ folder: config.injectedSecrets, file: 'redis', parse: parseLogin, logger }) ??
        databaseCredentials(client, DATABASE_ROLES.registryRedis, { mount: vault.mounts.database }),
      probe: ({ value }) => probeRedis(place, value),
      drainTimeoutMs: DRAIN_MS,
      logger,
      metrics: metrics.credentials,
      signal,
    }),
  );
  const link = await RedisLink.open(place, login, { log: logger });
  resources.defer(() => link.destroy());
  const store = resources.use(await RedisStore.open({ link }));
  return {
    store,
    clock: store.clock,
    credentials: [
      rotatingEntry(login, { kind: 'database', operate: async () => void (await store.page('', 1)) }),
      vaultTokenEntry(client),
    ],
    health: { vault: client, credentials: [login] },
  };
}

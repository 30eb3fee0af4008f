import { messageOf, type Secret } from '@neural-hive/security/common';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { ClusterError } from '../cluster-error.ts';
import type { InitSettings, Settings } from '../settings.ts';
import { applyCluster } from '../setup/apply-cluster.ts';
import { waitFor } from '../wait.ts';
import { keepKeys, rehearse } from './keep-keys.ts';
import type { KeyStore } from './key-store.ts';
import { firstServer, initialise, isInitialised, isSetUp } from './new-cluster.ts';

export interface RunInitOptions {
  readonly store: KeyStore;
  readonly fallback?: ((value: unknown) => Promise<string>) | undefined;
  readonly log: (line: string) => void;
  /** Goes on with a cluster that was initialised and not set up. */
  readonly rootToken?: Secret | undefined;
  readonly intervalMs?: number;
  /** How long a refusing store is asked again. */
  readonly keepLimitMs?: number;
}

/**
 * Initialises a new cluster and sets it up; a cluster that is both already is left alone. The keys are stored before
 * anything else is done, and the root token never leaves this process but for the store.
 */
export async function runInit(
  settings: Settings & { readonly init: InitSettings },
  options: RunInitOptions,
): Promise<'initialised' | 'already'> {
  const { cluster, init } = settings;
  const { store, log, intervalMs, rootToken } = options;
  const waiting = { log, ...(intervalMs === undefined ? {} : { intervalMs }) };
  const already = await waitFor('the first server', () => isInitialised(cluster).then((is) => ({ is })), waiting);
  if (rootToken !== undefined) {
    await setUp(settings, rootToken, options);
    return 'initialised';
  }
  if (already.is) {
    const { is: isDone } = await waitFor('the cluster', () => isSetUp(cluster).then((is) => ({ is })), waiting);
    if (!isDone) throw unfinished(init);
    log('the cluster is initialised and set up: nothing to do');
    return 'already';
  }
  await rehearse(store);
  const { recoveryShares: shares, recoveryThreshold: threshold } = init;
  const keys = await initialise(cluster, { shares, threshold });
  log('initialised');
  const limits = options.keepLimitMs === undefined ? {} : { limitMs: options.keepLimitMs };
  await keepKeys(keys, { store, shares, threshold, fallback: options.fallback, ...waiting, ...limits });
  await setUp(settings, keys.rootToken, options);
  return 'initialised';
}

function unfinished({ secrets }: InitSettings): ClusterError {
  const rule = 'The cluster is initialised and was not set up: an earlier run ended in between';
  const advice = `read the root token from ${secrets.rootToken} and run init again with --root-token-file; where it is not there, the cluster holds nothing: uninstall, delete its volumes, install again`;
  return new ClusterError('unfinished', `${rule}; ${advice}`);
}

async function setUp(
  settings: Settings & { readonly init: InitSettings },
  rootToken: Secret,
  { store, log, intervalMs }: RunInitOptions,
): Promise<void> {
  const { cluster, init } = settings;
  const address = firstServer(cluster);
  const ca = cluster.ca === undefined ? {} : { ca: { file: cluster.ca } };
  const client = await VaultClient.open({
    address,
    ...ca,
    auth: tokenAuth({ token: rootToken }),
    // It unseals itself, elects itself and loads its mounts first.
    openTimeoutMs: 300_000,
  });
  try {
    const waiting = { log, ...(intervalMs === undefined ? {} : { intervalMs }) };
    // Losing the leader before the others are voters would lose the quorum.
    await waitFor(`${cluster.servers.length} voters`, () => allVote(client, cluster.servers.length), waiting);
    await applyCluster(client, settings, log);
    if (!init.revokeRootToken) return log('the root token lives on: init.revokeRootToken is false');
    await client.request({ method: 'POST', path: 'auth/token/revoke-self', body: {} });
    log('the root token is revoked');
  } finally {
    await client.destroy();
  }
  try {
    await store.put('rootToken', { state: 'revoked', advice: 'make another with operator generate-root' });
  } catch (error) {
    // What is stored opens nothing any more.
    log(`the revoked root token is still stored: ${messageOf(error)}`);
  }
}

interface RaftServer {
  readonly voter?: boolean;
}

async function allVote(client: VaultClient, wanted: number): Promise<true | undefined> {
  const { data } = await client.request({ method: 'GET', path: 'sys/storage/raft/configuration' });
  const servers = (data.config as { readonly servers?: readonly RaftServer[] } | undefined)?.servers ?? [];
  const voters = servers.filter(({ voter }) => voter === true).length;
  if (voters >= wanted) return true;
  throw new ClusterError('refused', `${servers.length} of ${wanted} servers have joined, ${voters} vote`);
}

import { chmodSync, copyFileSync } from 'node:fs';
import { startOpenBao } from '@neural-hive/real-stack';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { environmentFailure } from '../../failure.ts';
import type { Profile, ProfileOptions, ServiceProgram, Surroundings } from '../profile.ts';
import { startClusterLogins } from './cluster-logins.ts';
import type { GivenOpenBao } from './given-servers.ts';
import { startIdentities } from './identities.ts';
import { countServerLeases } from './leases.ts';
import { findPrograms } from './programs.ts';
import { openRegistryStore } from './registry-store.ts';
import { serverLog } from './server-log.ts';

/** Real servers, started for the run on free ports: what they hold ends with it, and so do their certificates after a day. */
export const realProfile: Profile = {
  name: 'real',
  servers: 'OpenBao, SPIRE, Redis and the Kubernetes API server',
  durable: false,
  async check({ users }) {
    if (!users.separated) {
      throw environmentFailure('The real profile needs root: SPIRE tells the services apart by the uid of each.');
    }
    await findPrograms();
  },
  start: startReal,
};

async function startReal({ home, users }: ProfileOptions): Promise<Surroundings> {
  const programs = await findPrograms();
  const opened: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map((server) => server.close()));
  };
  const open = async <T extends { close(): Promise<void> }>(started: Promise<T>): Promise<T> => {
    const server = await started;
    opened.push(server);
    return server;
  };
  const log = (name: string) => serverLog(home, name);
  const starting = [
    open(openSecrets(programs.openbao, log('openbao'))),
    open(startIdentities({ home, users, binaries: programs.spire, log: log('spire') })),
    open(openRegistryStore({ home, redis: programs.redis, log: log('redis') })),
    open(
      startClusterLogins({
        ...{ home, users, etcd: programs.etcd, binaries: programs.kubernetes, log: log('kubernetes') },
      }),
    ),
  ] as const;
  try {
    const [secrets, identities, store, cluster] = await Promise.all(starting);
    copyFileSync(secrets.caFile, home.caFile);
    chmodSync(home.caFile, 0o644);
    const login = (service: ServiceProgram): Record<string, string> => ({
      VAULT_AUTH_METHOD: 'kubernetes',
      VAULT_TOKEN_PATH: cluster.tokenFile(service),
    });
    const registry = {
      REGISTRY_STORE: 'redis',
      REDIS_HOST: store.host,
      REDIS_PORT: String(store.port),
      REDIS_CA_BUNDLE: store.caFile,
    };
    return {
      adapters: {
        secrets: `OpenBao ${secrets.version}`,
        login: `service account token, reviewed by Kubernetes ${cluster.version}`,
        identity: `SPIRE ${identities.version}, one uid for each service`,
        workflow: 'reducer over PostgreSQL',
        tickets: 'rows of PostgreSQL',
        plans: 'PostgreSQL',
        registry: `Redis ${store.version}`,
      },
      address: secrets.address,
      rootToken: secrets.rootToken,
      setup: {
        jwt: { jwksUrl: identities.jwks.url, jwksCa: identities.jwks.ca },
        kubernetes: cluster.setup,
        redis: store.setup,
      },
      workloadSocket: () => identities.socket,
      environment: (service) => ({ ...login(service), ...(service === 'service-registry' ? registry : {}) }),
      rotateX509: (spiffeId) => identities.rotateX509(spiffeId),
      async countLeftovers(vault) {
        const leases = vault === undefined ? 0 : await countServerLeases(vault);
        return { leases, users: await store.countUsers() };
      },
      close,
    };
  } catch (error) {
    await Promise.allSettled(starting);
    await close();
    throw error;
  }
}

async function openSecrets(openbao: string | GivenOpenBao, log: (line: string) => void) {
  if (typeof openbao !== 'string') {
    return { ...openbao, version: await versionOf(openbao), close: async () => undefined };
  }
  const bao = await startOpenBao({ tls: true, binary: openbao, log });
  const { address, caFile, rootToken, version } = bao;
  return { address, caFile, rootToken, version, close: () => bao.stop() };
}

async function versionOf({ address, caFile, rootToken }: GivenOpenBao): Promise<string> {
  const client = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token: rootToken }) });
  try {
    return (await client.sys.health()).version ?? '';
  } finally {
    await client.close();
  }
}

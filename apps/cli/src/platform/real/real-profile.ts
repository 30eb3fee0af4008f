import { chmodSync, copyFileSync } from 'node:fs';
import { startOpenBao } from '@neural-hive/real-stack';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { environmentFailure } from '../../failure.ts';
import type { Profile, ProfileOptions, ServiceProgram, Surroundings } from '../profile.ts';
import { startClusterLogins } from './cluster-logins.ts';
import type { GivenOpenBao } from './given-servers.ts';
import { startIdentities } from './identities.ts';
import { countServerLeases } from './leases.ts';
import { startProductionServers } from './production-servers.ts';
import { findProductionPrograms, findPrograms } from './programs.ts';
import { openRegistryStore } from './registry-store.ts';
import { serverLog } from './server-log.ts';

/** Real servers, started for the run on free ports: what they hold ends with it, and so do their certificates after a day. */
export const realProfile: Profile = {
  name: 'real',
  servers: 'real servers',
  durable: false,
  async check({ users }) {
    if (!users.separated) {
      throw environmentFailure('The real profile needs root: SPIRE tells the services apart by the uid of each.');
    }
    await (engineOf(process.env) === 'temporal' ? findProductionPrograms() : findPrograms());
  },
  start: startReal,
};

type Engine = 'postgres' | 'temporal';

/** ORCHESTRATOR_ENGINE, as the orchestrator reads it: Temporal, Kafka and MongoDB, or `postgres` in their place. */
function engineOf({ ORCHESTRATOR_ENGINE: engine = 'temporal' }: NodeJS.ProcessEnv): Engine {
  if (engine === 'postgres' || engine === 'temporal') return engine;
  throw environmentFailure(`ORCHESTRATOR_ENGINE is ${engine}; it must be postgres or temporal.`);
}

async function startReal({ home, users, ports }: ProfileOptions): Promise<Surroundings> {
  const productionPrograms = engineOf(process.env) === 'temporal' ? await findProductionPrograms() : undefined;
  const programs = productionPrograms ?? (await findPrograms());
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
  const secrets = open(openSecrets(programs.openbao, log('openbao')));
  const identities = open(startIdentities({ home, users, binaries: programs.spire, log: log('spire') }));
  const starting = [
    secrets,
    identities,
    open(openRegistryStore({ home, redis: programs.redis, log: log('redis') })),
    open(startClusterLogins({ ...programs, home, users, log: log('kubernetes') })),
    productionPrograms === undefined
      ? undefined
      : open(
          startProductionServers({
            ...{ home, log, identities, programs: productionPrograms },
            vault: secrets,
            orchestratorPort: ports.orchestrator,
          }),
        ),
  ] as const;
  try {
    const [bao, spire, store, cluster, production] = await Promise.all(starting);
    copyFileSync(bao.caFile, home.caFile);
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
        secrets: `OpenBao ${bao.version}`,
        login: `service account token, reviewed by Kubernetes ${cluster.version}`,
        identity: `SPIRE ${spire.version}, one uid for each service`,
        workflow: 'reducer over PostgreSQL',
        tickets: 'rows of PostgreSQL',
        plans: 'PostgreSQL',
        ...production?.adapters,
        registry: `Redis ${store.version}`,
      },
      address: bao.address,
      rootToken: bao.rootToken,
      setup: {
        jwt: { jwksUrl: spire.jwks.url, jwksCa: spire.jwks.ca },
        kubernetes: cluster.setup,
        redis: store.setup,
      },
      ...(production === undefined ? {} : { production: production.logins }),
      workloadSocket: () => spire.socket,
      environment: (service) => ({
        ...login(service),
        ...(service === 'service-registry' ? registry : production?.environment(service)),
      }),
      rotateX509: (spiffeId) => spire.rotateX509(spiffeId),
      async countLeftovers(vault) {
        const leases = vault === undefined ? 0 : await countServerLeases(vault);
        return { leases, users: (await store.countUsers()) + ((await production?.countUsers()) ?? 0) };
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

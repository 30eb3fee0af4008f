import { AUDIENCES, SPIFFE_IDS } from '@neural-hive/contracts';
import { jwtSvidInterceptor, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { spiffeHttpsAgent } from '@neural-hive/security/http';
import { matchId } from '@neural-hive/security/spiffe';
import type { X509Identity } from '@neural-hive/security/tls';
import {
  type Check,
  CredentialBoard,
  JwtSvidCache,
  managementServer,
  type OpenService,
  observabilityServer,
  openIdentity,
  openVault,
  type ResourceStack,
  SecurityState,
  type ServiceContext,
  vaultTokenEntry,
  withResources,
  x509Entry,
} from '@neural-hive/service-runtime';
import { ArtifactStore } from './adapters/filesystem/artifact-store.ts';
import { ReleaseStore } from './adapters/filesystem/release-store.ts';
import { KubernetesClient } from './adapters/kubernetes/kubernetes-client.ts';
import { KubernetesDeployments } from './adapters/kubernetes/kubernetes-deployments.ts';
import { KubernetesJobs } from './adapters/kubernetes/kubernetes-jobs.ts';
import { PolicyClient } from './adapters/opa/policy-client.ts';
import { Registration } from './adapters/registry/registration.ts';
import { queryLoginEntry } from './adapters/vault/query-login-entry.ts';
import { WorkerVaultClient } from './adapters/vault/worker-vault-client.ts';
import type { AttemptRunner } from './attempts/attempt-runner.ts';
import { DirectRunner } from './attempts/direct-runner.ts';
import { LauncherRunner } from './attempts/launcher-runner.ts';
import type { ExecutableType, WorkerConfig } from './config.ts';
import type { Executor } from './domain/executor.ts';
import { TicketWorker } from './engine/ticket-worker.ts';
import { workerMetrics } from './engine/worker-metrics.ts';
import { buildExecutor } from './executors/build.ts';
import { compensateExecutor } from './executors/compensate.ts';
import { deployExecutor } from './executors/deploy.ts';
import { executeExecutor } from './executors/execute.ts';
import { type QueryOptions, queryExecutor } from './executors/query.ts';
import { testExecutor } from './executors/test.ts';
import { transformExecutor } from './executors/transform.ts';
import { validateExecutor } from './executors/validate.ts';
import { openTransport } from './transport.ts';

/** A worker that cannot be registered at its start goes on trying, and says at /ready that it is not. */
const FIRST_REGISTRATION_MS = 10_000;

/** Opens everything in order; what is open closes in reverse. */
export function openWorker(config: WorkerConfig, context: ServiceContext): Promise<OpenService> {
  return withResources(async (resources) => {
    const { log, signal } = context;
    const metrics = workerMetrics(context.metrics.registry);
    const { spiffe, tokenCache } = config.security;
    const identity = resources.use(
      await openIdentity({ ...spiffe, metrics: context.metrics.spiffe, logger: log, signal }),
    );
    const { x509, jwt } = identity;
    const security = new SecurityState({
      failOpen: config.security.vault.failOpen,
      identities: identity.sources,
    });
    let ready: Check = () => ({ ok: false, starting: true });
    // First of all that listens: whoever probes sees what the rest waits for.
    const observability = resources.use(
      await observabilityServer({
        ...config.metrics,
        health: security.health,
        ready: () => ready(),
        registry: context.metrics.registry,
      }),
    );
    const tokens = resources.use(
      new JwtSvidCache({ source: jwt, settings: tokenCache, metrics: context.metrics.tokenCache, logger: log }),
    );
    const { client: vault } = resources.use(await openVault({ config: config.security.vault, jwt: tokens, context }));
    security.useVault(vault);
    const { kv: kvMount, database: databaseMount } = config.security.vault.mounts;
    const { agentId, injectedSecrets } = config;
    const secrets = new WorkerVaultClient({ client: vault, kvMount, databaseMount, injectedSecrets, metrics });
    const transport = await openTransport(config, { vault, identity: x509, tokens, context, resources });
    for (const credential of transport.credentials) {
      secrets.hold(credential);
      security.watch(credential);
    }

    const runner = resources.use(await openRunner(config));
    if (!runner.separated) log.warn({}, 'attempts run under the worker’s own uid: uid separation is not enforced');
    const cluster = config.kubernetes && openCluster(config.kubernetes, resources);
    const queryLogins = queryLoginEntry((options) => secrets.leaseQueryLogin(options));
    const onRevokeFailed = (error: unknown): void => {
      log.warn({ err: error }, 'a login could not be given back: it ends with its lease');
    };
    const worker = new TicketWorker({
      source: transport.source,
      secrets,
      executors: await executorsOf(config, cluster, runner, x509, { lease: queryLogins.lease, onRevokeFailed }),
      capacity: config.capacity,
      publisher: { agentId, spiffeId: x509.getX509Svid().id.toString() },
      metrics,
      log,
    });
    const registration = new Registration({
      address: config.registry.address,
      credentials: spiffeChannelCredentials({ identity: x509, authorize: matchId(SPIFFE_IDS.registry) }),
      interceptors: [jwtSvidInterceptor(tokens, AUDIENCES.registry)],
      instanceId: agentId,
      types: worker.types,
      capabilities: config.capabilities,
      namespace: config.namespace,
      cluster: config.cluster,
      version: config.version,
      metadata: { agent_id: agentId, uid_separation: String(runner.separated) },
      heartbeatMs: config.registry.heartbeatMs,
      telemetry: () => worker.telemetry(),
      metrics,
      log,
    });
    // Together: nobody should count on a worker that ends, while its last tickets end.
    resources.defer(() => Promise.all([registration.close(), worker.drain(config.drainGraceMs)]));

    const board = resources.use(new CredentialBoard({ logger: log }));
    ready = async () => {
      const { state, reasons } = await security.look();
      const registered = registration.agentId !== undefined;
      return {
        ok: state !== 'unhealthy' && worker.connected && registered,
        security: state,
        reasons,
        transport: worker.connected ? 'healthy' : 'unhealthy',
        registered,
        uidSeparation: runner.separated,
        ...worker.telemetry(),
      };
    };
    const management = resources.use(
      await managementServer({ identity: x509, ...config.management, board, health: ready, logger: log }),
    );
    for (const entry of [
      ...transport.entries,
      vaultTokenEntry(vault),
      x509Entry(x509, { operate: (operation) => management.handshake(operation) }),
      queryLogins.entry,
      tokens.entry(AUDIENCES.vault),
      tokens.entry(AUDIENCES.registry),
    ]) {
      board.register(entry);
    }
    if (!(await registration.registeredWithin(FIRST_REGISTRATION_MS))) {
      log.warn({ registry: config.registry.address }, 'not registered yet: going on and trying again');
    }
    return {
      ready: {
        agentId,
        types: worker.types,
        management: management.port,
        metrics: observability.port,
        uidSeparation: runner.separated,
      },
      close: () => resources.close(),
    };
  });
}

async function openRunner(config: WorkerConfig): Promise<AttemptRunner> {
  const { launcherSocket: socketPath, programs } = config;
  if (socketPath !== undefined) return LauncherRunner.open({ socketPath });
  return DirectRunner.open({ programs, workspaces: config.folders.workspaces });
}

interface Cluster {
  readonly deployments: KubernetesDeployments;
  readonly jobs: KubernetesJobs;
}

function openCluster(
  { allowed, ...options }: NonNullable<WorkerConfig['kubernetes']>,
  resources: ResourceStack,
): Cluster {
  const client = resources.use(new KubernetesClient(options));
  return {
    deployments: new KubernetesDeployments(client, allowed.deployments),
    jobs: new KubernetesJobs(client, allowed.jobs),
  };
}

async function executorsOf(
  { programs, projects, folders, postgres: database, queryMongodbUri: mongodbUri, types, opa }: WorkerConfig,
  cluster: Cluster | undefined,
  runner: AttemptRunner,
  identity: X509Identity,
  query: Pick<QueryOptions, 'lease' | 'onRevokeFailed'>,
): Promise<Executor[]> {
  const artifacts = await ArtifactStore.open(folders.artifacts);
  const releases = await ReleaseStore.open(folders.releases, artifacts);
  const places = { projects, artifacts };
  const policies = opa && { client: policyClient(opa, identity), names: opa.policies };
  const all: Record<ExecutableType, Executor> = {
    BUILD: buildExecutor({ runner, programs, projects, artifacts }),
    VALIDATE: validateExecutor({ ...places, policies }),
    EXECUTE: executeExecutor({ runner, programs, ...places, jobs: cluster?.jobs }),
    TRANSFORM: transformExecutor({ runner, programs }),
    TEST: testExecutor({ runner, programs, projects, artifacts, releases }),
    QUERY: queryExecutor({ ...query, database, mongodbUri }),
    DEPLOY: deployExecutor({ releases, deployments: cluster?.deployments }),
    COMPENSATE: compensateExecutor({ runner, programs, ...places, ...cluster, releases }),
  };
  return types.map((type) => all[type]);
}

function policyClient(
  { url, caFile, tokenFile, spiffeId }: NonNullable<WorkerConfig['opa']>,
  identity: X509Identity,
): PolicyClient {
  if (spiffeId === undefined) return new PolicyClient({ url, caFile, tokenFile });
  return new PolicyClient({ url, tokenFile, agent: spiffeHttpsAgent({ identity, authorize: matchId(spiffeId) }) });
}

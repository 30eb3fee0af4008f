import type { TLSSocket } from 'node:tls';
import { AUDIENCES, DATABASE_ROLES, KV_PATHS, SPIFFE_IDS } from '@neural-hive/contracts';
import { databaseCredentials, kvSecret, parseLogin, RotatingCredential } from '@neural-hive/security/credentials';
import { jwtSvidInterceptor, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { httpsServer } from '@neural-hive/security/http';
import { type RotatingPool, rotatingListener, rotatingPool } from '@neural-hive/security/pg';
import { matchId, matchMemberOf } from '@neural-hive/security/spiffe';
import { peerSpiffeId } from '@neural-hive/security/tls';
import type { VaultClient } from '@neural-hive/security/vault';
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
  rotatingEntry,
  SecurityState,
  type ServiceContext,
  type ServiceIdentity,
  vaultTokenEntry,
  withResources,
  x509Entry,
} from '@neural-hive/service-runtime';
import type pg from 'pg';
import { AnnouncementEcho, ECHO_CHANNEL } from './adapters/postgres/announcement-echo.ts';
import { PostgresPlanEngine } from './adapters/postgres/plan-engine.ts';
import { orchestratorMetrics } from './adapters/prometheus/orchestrator-metrics.ts';
import { RegistryAdmission } from './adapters/registry/registry-admission.ts';
import { OrchestratorVaultClient } from './adapters/vault/orchestrator-vault-client.ts';
import { openApiServer } from './api/api-server.ts';
import type { OrchestratorConfig } from './config.ts';
import { DEFAULT_POLICY } from './domain/index.ts';
import type { PlanEngine } from './ports/plan-engine.ts';

/** A transaction takes milliseconds: what is busy longer after a rotation hangs. */
const DRAIN_MS = 5_000;
const RESULTS_CHANNEL = 'tickets_results';

interface Parts {
  readonly config: OrchestratorConfig;
  readonly context: ServiceContext;
  readonly resources: ResourceStack;
  readonly state: SecurityState;
}

/** Opens the orchestrator: identity, probes, Vault, database, engine, then what others talk to. Closes in reverse. */
export function openOrchestrator(config: OrchestratorConfig, context: ServiceContext): Promise<OpenService> {
  return withResources(async (resources) => {
    const { log, metrics, signal } = context;
    const { spiffe, tokenCache } = config.security;
    const own = orchestratorMetrics(metrics.registry);
    const identity = resources.use(await openIdentity({ ...spiffe, metrics: metrics.spiffe, logger: log, signal }));
    const { x509 } = identity;
    const state = new SecurityState({ failOpen: config.security.vault.failOpen, identities: identity.sources });
    const parts = { config, context, resources, state };
    let ready: Check = () => ({ ok: false, starting: true });
    // First of all that listens: whoever probes sees what the rest waits for.
    const observability = resources.use(
      await observabilityServer({
        ...config.metrics,
        registry: metrics.registry,
        health: state.health,
        ready: () => ready(),
      }),
    );
    const jwt = resources.use(
      new JwtSvidCache({ source: identity.jwt, settings: tokenCache, metrics: metrics.tokenCache, logger: log }),
    );
    const { client } = resources.use(await openVault({ config: config.security.vault, jwt, context }));
    state.useVault(client);
    const { kv: kvMount, database: databaseMount } = config.security.vault.mounts;
    const vault = new OrchestratorVaultClient({ client, kvMount, databaseMount, counters: own.credentials });
    const { login, pool } = await openDatabase(parts, client, vault);
    const admission = resources.use(
      new RegistryAdmission({
        ...config.registry,
        credentials: spiffeChannelCredentials({ identity: x509, authorize: matchId(SPIFFE_IDS.registry) }),
        interceptors: [jwtSvidInterceptor(jwt, AUDIENCES.registry)],
        log,
      }),
    );
    const engine = resources.use(
      await PostgresPlanEngine.open({
        pool,
        admission,
        policy: { ...DEFAULT_POLICY, ...config.policy },
        ...config.engine,
        log,
        metrics: own.engine,
      }),
    );
    own.watchActive(() => engine.countActive());
    const announcements = await openAnnouncements(parts, {
      client,
      vault,
      pool,
      wake: (planId) => engine.wake(planId),
    });
    const api = resources.use(await openApi(parts, engine, identity));

    const board = resources.use(new CredentialBoard({ logger: log }));
    const management = resources.use(
      await managementServer({ identity: x509, ...config.management, board, health: state.health, logger: log }),
    );
    board.register(
      rotatingEntry(login, {
        kind: 'database',
        operate: async () => void (await pool.query('select count(*) from orchestrator.plan where not final')),
      }),
    );
    board.register(vaultTokenEntry(client));
    board.register(
      rotatingEntry(announcements.login, { kind: 'kv', operate: ({ signal }) => announcements.echo.roundTrip(signal) }),
    );
    board.register(x509Entry(x509, { operate: (operation) => management.handshake(operation) }));

    ready = async () => {
      const [security] = await Promise.all([state.look(), pool.query('select from orchestrator.plan limit 1')]);
      return { ok: security.state !== 'unhealthy', security: security.state, reasons: security.reasons };
    };
    return {
      ready: { port: api.port, managementPort: management.port, metricsPort: observability.port },
      close: () => resources.close(),
    };
  });
}

function placeOf({ postgres }: OrchestratorConfig): pg.ClientConfig {
  const { host, port, database, tls } = postgres;
  return { host, port, database, ...(tls && { ssl: true }), application_name: 'orchestrator-dynamic' };
}

async function openDatabase(
  { config, context, resources, state }: Parts,
  client: VaultClient,
  vault: OrchestratorVaultClient,
) {
  const login = resources.use(
    await RotatingCredential.open({
      provider: databaseCredentials(client, DATABASE_ROLES.orchestrator, {
        mount: config.security.vault.mounts.database,
      }),
      drainTimeoutMs: DRAIN_MS,
      logger: context.log,
      metrics: context.metrics.credentials,
      signal: context.signal,
    }),
  );
  vault.hold(login);
  state.watch(login);
  const pool: RotatingPool = rotatingPool(
    login,
    { ...placeOf(config), max: config.postgres.poolSize },
    // A login that may not read the plans is no login for this service.
    { probeQuery: 'select from orchestrator.plan limit 1' },
  );
  resources.defer(() => pool.end());
  return { login, pool };
}

interface AnnouncementOptions {
  readonly client: VaultClient;
  readonly vault: OrchestratorVaultClient;
  readonly pool: RotatingPool;
  readonly wake: (planId: string) => void;
}

async function openAnnouncements({ config, context, resources, state }: Parts, options: AnnouncementOptions) {
  const { client, vault, pool, wake } = options;
  const login = resources.use(
    await RotatingCredential.open({
      provider: kvSecret(client, KV_PATHS.orchestratorKafka, {
        mount: config.security.vault.mounts.kv,
        pollMs: config.kvPollMs,
        parse: parseLogin,
      }),
      drainTimeoutMs: DRAIN_MS,
      logger: context.log,
      metrics: context.metrics.credentials,
      signal: context.signal,
    }),
  );
  vault.hold(login);
  state.watch(login);
  const echo = new AnnouncementEcho(pool);
  // Plans that were announced while nobody listened are found by the engine's poll.
  resources.use(
    await rotatingListener(
      login,
      placeOf(config),
      [RESULTS_CHANNEL, ECHO_CHANNEL],
      ({ channel, payload }) => (channel === ECHO_CHANNEL ? echo.received(payload) : wake(payload)),
      { logger: context.log },
    ),
  );
  return { login, echo };
}

function openApi({ config, context }: Parts, engine: PlanEngine, { x509, jwt }: ServiceIdentity) {
  const { trustDomain, issuer, leewaySeconds } = config.security.spiffe;
  return openApiServer({
    engine,
    ...config.api,
    log: context.log,
    // A caller may come with a token alone; a certificate that is shown must be good.
    createServer: (listener) =>
      httpsServer({ identity: x509, authorize: matchMemberOf(trustDomain), clientCertificate: 'request' }, listener),
    authentication: {
      bundles: jwt,
      audience: AUDIENCES.orchestrator,
      issuer,
      leewaySeconds,
      roles: config.roles,
      peerSpiffeId: (socket) => peerSpiffeId(socket as TLSSocket),
      metrics: context.metrics.auth,
      log: context.log,
    },
  });
}

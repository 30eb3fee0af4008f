import type { TLSSocket } from 'node:tls';
import { AUDIENCES, DATABASE_ROLES, SPIFFE_IDS } from '@neural-hive/contracts';
import { databaseCredentials, parseLogin } from '@neural-hive/security/credentials';
import { jwtSvidInterceptor, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { httpsServer } from '@neural-hive/security/http';
import { type RotatingPool, rotatingPool } from '@neural-hive/security/pg';
import { matchId, matchMemberOf } from '@neural-hive/security/spiffe';
import { peerSpiffeId } from '@neural-hive/security/tls';
import type { VaultClient } from '@neural-hive/security/vault';
import {
  type Check,
  CredentialBoard,
  injectedSecret,
  JwtSvidCache,
  managementServer,
  type OpenService,
  observabilityServer,
  openIdentity,
  openVault,
  rotatingEntry,
  SecurityState,
  type ServiceContext,
  type ServiceIdentity,
  vaultTokenEntry,
  withResources,
  x509Entry,
} from '@neural-hive/service-runtime';
import { orchestratorMetrics } from './adapters/prometheus/orchestrator-metrics.ts';
import { RegistryAdmission } from './adapters/registry/registry-admission.ts';
import { OrchestratorVaultClient } from './adapters/vault/orchestrator-vault-client.ts';
import { openApiServer } from './api/api-server.ts';
import type { OrchestratorConfig } from './config.ts';
import { DEFAULT_POLICY } from './domain/index.ts';
import { openEmbeddedEngine, placeOf } from './embedded-engine.ts';
import { type EngineParts, type OpenEngine, openCredential, type Parts } from './engine-parts.ts';

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
    const engineParts = {
      ...parts,
      x509,
      client,
      vault,
      pool,
      admission,
      policy: { ...DEFAULT_POLICY, ...config.policy },
      metrics: own.engine,
    };
    const opened = await openEngine(engineParts);
    own.watchActive(() => opened.engine.countActive());
    const api = resources.use(await openApi(parts, opened, identity));

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
    opened.list(board);
    board.register(x509Entry(x509, { operate: (operation) => management.handshake(operation) }));

    ready = async () => {
      const [security] = await Promise.all([state.look(), pool.query(PROBE_QUERY), opened.check()]);
      return { ok: security.state !== 'unhealthy', security: security.state, reasons: security.reasons };
    };
    return {
      ready: { port: api.port, managementPort: management.port, metricsPort: observability.port },
      close: () => resources.close(),
    };
  });
}

async function openEngine(parts: EngineParts): Promise<OpenEngine> {
  const { production } = parts.config;
  if (production === undefined) return openEmbeddedEngine(parts);
  // Its drivers take a second to load, which the embedded engine does without.
  const { openProductionEngine } = await import('./production-engine.ts');
  return openProductionEngine(parts, production);
}

/** A login that may not read the plans is no login for this service. */
const PROBE_QUERY = 'select from orchestrator.plan limit 1';

async function openDatabase(parts: Parts, client: VaultClient, vault: OrchestratorVaultClient) {
  const { config, context, resources } = parts;
  const { database: mount } = config.security.vault.mounts;
  const login = await openCredential(
    parts,
    injectedSecret({ folder: config.injectedSecrets, file: 'postgres', parse: parseLogin, logger: context.log }) ??
      databaseCredentials(client, DATABASE_ROLES.orchestrator, { mount }),
  );
  vault.hold(login);
  const place = { ...placeOf(config), max: config.postgres.poolSize };
  const pool: RotatingPool = rotatingPool(login, place, { probeQuery: PROBE_QUERY });
  resources.defer(() => pool.end());
  return { login, pool };
}

function openApi({ config, context }: Parts, { engine, claims }: OpenEngine, { x509, jwt }: ServiceIdentity) {
  const { trustDomain, issuer, leewaySeconds } = config.security.spiffe;
  return openApiServer({
    engine,
    claims,
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

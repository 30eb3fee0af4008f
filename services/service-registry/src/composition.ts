import { AUDIENCES, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { messageOf } from '@neural-hive/security/common';
import { securityHealth } from '@neural-hive/security/credentials';
import { callerOf, SpiffeAuthInterceptor } from '@neural-hive/security/grpc';
import {
  type CheckResult,
  CredentialBoard,
  managementServer,
  type OpenService,
  observabilityServer,
  openIdentity,
  type ServiceContext,
  withResources,
  x509Entry,
} from '@neural-hive/service-runtime';
import { startHealthLoop } from './adapters/health-loop.ts';
import { prometheusRegistryMetrics } from './adapters/prometheus-metrics.ts';
import { METHOD_CALLERS, METHOD_EXCEPTIONS } from './api/auth-table.ts';
import { listenGrpc } from './api/grpc-server.ts';
import { HealthService } from './api/health-service.ts';
import { operationReporter } from './api/operation-report.ts';
import { registryService } from './api/service.ts';
import type { RegistryConfig } from './config.ts';
import { Registry } from './domain/registry.ts';
import { Watchers } from './domain/watchers.ts';
import { openStore } from './open-store.ts';

/** How late those who watch the health of the server are told. */
const HEALTH_REFRESH_MS = 1_000;

/** Opens everything in order; `close` takes it down in reverse. */
export function openRegistryService(config: RegistryConfig, context: ServiceContext): Promise<OpenService> {
  return withResources(async (resources) => {
    const { log, signal } = context;
    const metrics = prometheusRegistryMetrics(context.metrics.registry);

    const identity = resources.use(
      await openIdentity({ endpoint: config.spiffeEndpoint, metrics: context.metrics.spiffe, signal }),
    );
    const {
      store,
      clock,
      credentials,
      health: storeHealth,
    } = await openStore({
      config: config.store,
      context,
      resources,
      jwt: identity.jwt,
    });
    const watchers = new Watchers({ store, maxPerIdentity: config.maxWatchesPerIdentity });
    const timing = { heartbeatTimeoutMs: config.heartbeatTimeoutMs };
    const { maxAgents, maxAgentsPerIdentity } = config;
    const shared = { store, timing, metrics, ...(clock !== undefined && { clock }) };
    const registry = new Registry({ ...shared, maxAgents, maxAgentsPerIdentity });
    resources.use(startHealthLoop({ ...shared, intervalMs: config.healthCheckIntervalMs, log }));

    const identities = { x509: identity.x509, jwt: identity.jwt };
    const isIdentified = (): boolean =>
      Object.values(identities).every((source) => source.health().state !== 'unhealthy');
    const check = (): CheckResult => {
      const fault = store.fault;
      return {
        ok: isIdentified() && fault === undefined,
        identity: identity.x509.health().state,
        ...(fault !== undefined && { store: messageOf(fault) }),
      };
    };
    /** What has to be asked over the network is for those who can wait. */
    const ready = async (): Promise<CheckResult> => {
      const now = check();
      const { state, reasons } = await securityHealth({ ...storeHealth, identities });
      return { ...now, ok: now.ok && state !== 'unhealthy', security: state, reasons };
    };

    const stopping = new AbortController();
    const health = new HealthService(() => check().ok);
    const refreshing = setInterval(() => health.refresh(), HEALTH_REFRESH_MS);
    resources.defer(() => clearInterval(refreshing));
    const authentication = new SpiffeAuthInterceptor({
      bundles: identity.jwt,
      audience: AUDIENCES.registry,
      issuer: SPIFFE_ISSUER,
      leewaySeconds: config.leewaySeconds,
      methods: METHOD_CALLERS,
      exceptions: METHOD_EXCEPTIONS,
      metrics: context.metrics.auth,
      logger: log,
    });
    const grpc = resources.use(
      await listenGrpc({
        ...config.grpc,
        identity: identity.x509,
        health,
        authentication: authentication.interceptor,
        service: registryService({
          registry,
          watchers,
          callerOf,
          onOperation: operationReporter(metrics, log),
          signal: stopping.signal,
        }),
      }),
    );
    resources.defer(() => {
      stopping.abort();
      health.close();
    });

    const board = new CredentialBoard({ logger: log });
    const management = resources.use(
      await managementServer({ ...config.management, identity: identity.x509, board, health: check, logger: log }),
    );
    resources.use(board);
    for (const entry of credentials) board.register(entry);
    board.register(x509Entry(identity.x509, { operate: (operation) => management.handshake(operation) }));

    const observability = resources.use(
      await observabilityServer({
        ...config.metrics,
        // A new process would find the same store.
        health: () => ({ ...check(), ok: isIdentified() }),
        ready,
        registry: context.metrics.registry,
      }),
    );

    return {
      ready: { grpcPort: grpc.port, metricsPort: observability.port, managementPort: management.port },
      close: () => resources.close(),
    };
  });
}

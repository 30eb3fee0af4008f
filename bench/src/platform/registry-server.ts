import { join } from 'node:path';
import { Server } from '@grpc/grpc-js';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';
import { callerOf, listenSpiffe, SpiffeAuthInterceptor } from '@neural-hive/security/grpc';
import { matchId } from '@neural-hive/security/spiffe';
import {
  METHOD_CALLERS,
  MemoryStore,
  operationReporter,
  prometheusRegistryMetrics,
  Registry,
  registryService,
  Watchers,
} from '@neural-hive/service-registry';
import { createLogger, createServiceMetrics, openIdentity } from '@neural-hive/service-runtime';

/**
 * The parts of the registry put together with or without the authentication of its calls, as a process of its own: sends
 * its port, then its CPU time whenever it is sent anything.
 */
const [endpoint = '', folder = '', tokens] = process.argv.slice(2);
const identity = await openIdentity({ endpoint });
const store = await MemoryStore.open({ journalPath: join(folder, `journal-${process.pid}`) });
const own = createServiceMetrics();
const metrics = prometheusRegistryMetrics(own.registry);
const limits = { maxAgents: 20_000, maxAgentsPerIdentity: 10_000 };
const registry = new Registry({ store, timing: { heartbeatTimeoutMs: 3_600_000 }, ...limits, metrics });
const authentication = new SpiffeAuthInterceptor({
  bundles: identity.jwt,
  audience: AUDIENCES.registry,
  issuer: SPIFFE_ISSUER,
  methods: METHOD_CALLERS,
  metrics: own.auth,
});
const server = new Server(tokens === 'tokens' ? { interceptors: [authentication.interceptor] } : {});
const worker = SPIFFE_IDS.worker;
server.addService(
  ServiceRegistryService,
  registryService({
    registry,
    watchers: new Watchers({ store, maxPerIdentity: 1 }),
    callerOf: tokens === 'tokens' ? callerOf : () => worker,
    onOperation: operationReporter(metrics, createLogger({ name: 'bench' })),
    signal: new AbortController().signal,
  }),
);
const listener = await listenSpiffe(server, {
  identity: identity.x509,
  authorize: matchId(worker),
  host: '127.0.0.1',
  port: 0,
});
process.on('message', () => process.send?.(process.cpuUsage()));
process.once('disconnect', () => process.exit(0));
process.send?.(listener.port);

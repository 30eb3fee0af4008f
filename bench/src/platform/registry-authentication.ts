import { type Client, credentials, type Interceptor, Server, ServerCredentials } from '@grpc/grpc-js';
import { AUDIENCES, SPIFFE_IDS, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { ServiceRegistryClient, ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';
import {
  callerOf,
  jwtSvidInterceptor,
  listenSpiffe,
  SpiffeAuthInterceptor,
  spiffeChannelCredentials,
} from '@neural-hive/security/grpc';
import { matchId } from '@neural-hive/security/spiffe';
import { METHOD_CALLERS, MemoryStore, Registry, registryService, Watchers } from '@neural-hive/service-registry';
import type { ServiceIdentity } from '@neural-hive/service-runtime';
import { compareCpuTime, concurrently } from '../cpu-time.ts';
import { median, type Result, resultOf } from '../result.ts';
import { atLeast, type Bound } from './registry-bound.ts';
import { beat, registerAgents } from './registry-calls.ts';
import { RegistryStage } from './registry-stage.ts';

const ROUNDS = 15;
const CALLS = 1_000;
const WIDTH = 16;
const AGENTS = 100;

/**
 * The throughput of heartbeats with all that authenticates them, mutual TLS and tokens, beside the same service without:
 * once without tokens, and once without TLS either. Client and service share a process, and its CPU time is counted.
 */
export async function* authenticationResults(): AsyncGenerator<Result | Bound> {
  const stage = await RegistryStage.open();
  const closing: (() => unknown)[] = [];
  try {
    const parts = {
      service: await stage.identityOf(SPIFFE_IDS.registry),
      worker: await stage.identityOf(SPIFFE_IDS.worker),
    };
    const sides = {
      whole: await openSide(closing, parts, { tls: true, tokens: true }),
      withoutTokens: await openSide(closing, parts, { tls: true, tokens: false }),
      bare: await openSide(closing, parts, { tls: false, tokens: false }),
    };
    for (const [what, peer] of [
      ['without tokens', sides.withoutTokens],
      ['without tokens and without TLS', sides.bare],
    ] as const) {
      const { ours, peer: theirs } = await compareCpuTime(concurrently(WIDTH, sides.whole), concurrently(WIDTH, peer), {
        rounds: ROUNDS,
        count: CALLS,
      });
      const rounds = { ours: ours.map(perSecond), peer: theirs.map(perSecond) };
      const name = `authenticated heartbeats / ${what}`;
      yield resultOf(name, 'per second of CPU time', rounds);
      yield atLeast(name, median(rounds.ours) / median(rounds.peer), 0.9, 'of the throughput');
    }
  } finally {
    for (const close of closing.reverse()) await close();
    await stage.close();
  }
}

function perSecond(micros: number): number {
  return 1e6 / micros;
}

/** A registry and a client of it; the operation is one heartbeat. */
async function openSide(
  closing: (() => unknown)[],
  { service, worker }: { service: ServiceIdentity; worker: ServiceIdentity },
  { tls, tokens }: { tls: boolean; tokens: boolean },
): Promise<(index: number) => Promise<unknown>> {
  const store = await MemoryStore.open();
  const registry = new Registry({
    store,
    timing: { heartbeatTimeoutMs: 120_000 },
    maxAgents: AGENTS,
    maxAgentsPerIdentity: AGENTS,
  });
  const authentication = new SpiffeAuthInterceptor({
    bundles: service.jwt,
    audience: AUDIENCES.registry,
    issuer: SPIFFE_ISSUER,
    methods: METHOD_CALLERS,
  });
  const server = new Server(tokens ? { interceptors: [authentication.interceptor] } : {});
  const watchers = new Watchers({ store, maxPerIdentity: 1 });
  const caller = SPIFFE_IDS.worker;
  server.addService(
    ServiceRegistryService,
    registryService({
      registry,
      watchers,
      callerOf: tokens ? callerOf : () => caller,
      onOperation: () => undefined,
      signal: new AbortController().signal,
    }),
  );
  const interceptors: Interceptor[] = tokens ? [jwtSvidInterceptor(worker.jwt, AUDIENCES.registry)] : [];
  const port = tls ? await listenTls(closing, server, service) : await listenPlain(server);
  const channel = tls
    ? spiffeChannelCredentials({ identity: worker.x509, authorize: matchId(SPIFFE_IDS.registry) })
    : credentials.createInsecure();
  const client: Client = new ServiceRegistryClient(`127.0.0.1:${port}`, channel, { interceptors });
  closing.push(() => {
    client.close();
    server.forceShutdown();
  });
  const ids = await registerAgents(client, 0, AGENTS, ['common']);
  return (index) => beat(client, ids[index % AGENTS] ?? '', index);
}

async function listenTls(closing: (() => unknown)[], server: Server, { x509 }: ServiceIdentity): Promise<number> {
  const authorize = matchId(SPIFFE_IDS.worker);
  const listener = await listenSpiffe(server, { identity: x509, authorize, host: '127.0.0.1', port: 0 });
  closing.push(() => listener.destroy());
  return listener.port;
}

function listenPlain(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
}

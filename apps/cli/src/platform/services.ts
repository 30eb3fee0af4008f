import { join, resolve } from 'node:path';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import type { ChildSpec } from './child-process.ts';
import { DATABASE } from './database.ts';
import type { Home } from './home.ts';
import type { Ports } from './ports.ts';
import type { ProfileName, ServiceProgram, Surroundings } from './profile.ts';
import type { Programs } from './staging.ts';
import type { ServiceUsers } from './users.ts';

export interface ServiceSpecOptions {
  readonly home: Home;
  readonly users: ServiceUsers;
  readonly programs: Programs;
  readonly ports: Ports;
  readonly postgres: EmbeddedPostgres;
  readonly profile: ProfileName;
  readonly surroundings: Pick<Surroundings, 'address' | 'workloadSocket' | 'environment'>;
  readonly marker: Readonly<Record<string, string>>;
}

/** Where the worker asks for attempts under uids of their own. */
export function launcherSocket(home: Home): string {
  return join(home.launcherSockets, 'launcher.sock');
}

/** The three service processes, with everything each reads from its environment. */
export function serviceSpecs(options: ServiceSpecOptions): Record<'registry' | 'orchestrator' | 'worker', ChildSpec> {
  const { home, users, programs, ports, postgres, profile, surroundings, marker } = options;
  // Where plans find their projects. Default: the examples. As root the worker's uid must be able to read it.
  const projects = process.env.WORKER_PROJECTS_FOLDER;
  const common = {
    ...marker,
    ENVIRONMENT: 'development',
    PLATFORM_PROFILE: profile,
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
  };
  const vault = (role: ServiceProgram, folder: string): Record<string, string> => ({
    VAULT_ADDRESS: surroundings.address,
    VAULT_CA_BUNDLE: home.caFile,
    VAULT_KUBERNETES_ROLE: role,
    // One that is killed has its leases revoked when it is started again.
    VAULT_LEASE_JOURNAL_PATH: join(folder, 'leases'),
  });
  const postgresAndRegistry = {
    POSTGRES_HOST: postgres.socketFolder,
    POSTGRES_PORT: String(postgres.port),
    POSTGRES_DATABASE: DATABASE,
    SERVICE_REGISTRY_HOST: '127.0.0.1',
    SERVICE_REGISTRY_PORT: String(ports.registry),
  };
  const spec = (name: ServiceProgram, uid: number, cwd: string, env: Record<string, string>): ChildSpec => ({
    name,
    program: join(programs.root, 'services', name, 'dist/main.js'),
    env: {
      ...common,
      SPIFFE_ENDPOINT_SOCKET: `unix://${surroundings.workloadSocket(name)}`,
      ...env,
      ...surroundings.environment(name),
    },
    cwd,
    node: programs.node,
    logFile: join(home.logs, `${name}.log`),
    ...(users.separated ? { uid } : {}),
  });
  return {
    registry: spec('service-registry', users.registry, home.registry, {
      ...vault('service-registry', home.registry),
      GRPC_PORT: String(ports.registry),
      MANAGEMENT_PORT: String(ports.registryManagement),
      METRICS_PORT: String(ports.registryMetrics),
      HEARTBEAT_TIMEOUT_SECONDS: '15',
      HEALTH_CHECK_INTERVAL_SECONDS: '2',
    }),
    orchestrator: spec('orchestrator-dynamic', users.orchestrator, home.run, {
      ...vault('orchestrator-dynamic', home.orchestrator),
      ...postgresAndRegistry,
      HTTP_PORT: String(ports.orchestrator),
      MANAGEMENT_PORT: String(ports.orchestratorManagement),
      METRICS_PORT: String(ports.orchestratorMetrics),
    }),
    worker: spec('worker-agents', users.worker, home.worker, {
      ...vault('worker-agents', home.worker),
      ...postgresAndRegistry,
      MANAGEMENT_PORT: String(ports.workerManagement),
      METRICS_PORT: String(ports.workerMetrics),
      HEARTBEAT_INTERVAL_SECONDS: '3',
      WORKER_DATA_FOLDER: home.worker,
      ...(projects === undefined ? {} : { WORKER_PROJECTS_FOLDER: resolve(projects) }),
      ...(users.separated ? { ATTEMPT_LAUNCHER_SOCKET: launcherSocket(home) } : {}),
    }),
  };
}

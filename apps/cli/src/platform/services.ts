import { join, resolve } from 'node:path';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import type { ChildSpec } from './child-process.ts';
import { DATABASE } from './database.ts';
import type { Home } from './home.ts';
import type { Ports } from './ports.ts';
import type { ProfileName, ServiceProgram, Surroundings } from './profile.ts';
import type { Programs } from './staging.ts';
import type { ServiceUsers } from './users.ts';
import { allowedProgramsFile } from './worker-programs.ts';

export interface ServiceSpecOptions {
  readonly home: Home;
  readonly users: ServiceUsers;
  readonly programs: Programs;
  readonly ports: Ports;
  readonly postgres: EmbeddedPostgres;
  readonly profile: ProfileName;
  readonly surroundings: Pick<Surroundings, 'address' | 'workloadSocket' | 'environment'>;
  readonly marker: Readonly<Record<string, string>>;
  /** Worker processes. Default 1. */
  readonly workers?: number;
}

/** Where the worker asks for attempts under uids of their own. */
export function launcherSocket(home: Home): string {
  return join(home.launcherSockets, 'launcher.sock');
}

/** On real servers the orchestrator bundles its workflow and joins groups of consumers before it is ready. */
const REAL_READY_LIMIT_MS = 180_000;

/** The service processes, with everything each reads from its environment. */
export function serviceSpecs(options: ServiceSpecOptions): readonly ChildSpec[] {
  const { home, users, programs, ports, postgres, profile, surroundings, marker, workers = 1 } = options;
  // Where plans find their projects. Default: the examples. As root the worker's uid must be able to read it.
  const projects = process.env.WORKER_PROJECTS_FOLDER;
  const allowed = allowedProgramsFile();
  const common = {
    ...marker,
    ENVIRONMENT: 'development',
    PLATFORM_PROFILE: profile,
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
  };
  const vault = (role: ServiceProgram, folder: string, journal = 'leases'): Record<string, string> => ({
    VAULT_ADDRESS: surroundings.address,
    VAULT_CA_BUNDLE: home.caFile,
    VAULT_KUBERNETES_ROLE: role,
    // One that is killed has its leases revoked when it is started again.
    VAULT_LEASE_JOURNAL_PATH: join(folder, journal),
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
    ...(profile === 'real' ? { readyLimitMs: REAL_READY_LIMIT_MS } : {}),
    ...(users.separated ? { uid } : {}),
  });
  const worker = (management: number, metrics: number, journal?: string): ChildSpec =>
    spec('worker-agents', users.worker, home.worker, {
      ...vault('worker-agents', home.worker, journal),
      ...postgresAndRegistry,
      MANAGEMENT_PORT: String(management),
      METRICS_PORT: String(metrics),
      HEARTBEAT_INTERVAL_SECONDS: '3',
      WORKER_DATA_FOLDER: home.worker,
      ...(projects === undefined ? {} : { WORKER_PROJECTS_FOLDER: resolve(projects) }),
      ...(allowed === undefined ? {} : { ALLOWED_PROGRAMS_FILE: allowed }),
      ...(users.separated ? { ATTEMPT_LAUNCHER_SOCKET: launcherSocket(home) } : {}),
    });
  // All work on the same folders, as the processes of one machine do; each keeps account of its own leases.
  const more = Array.from({ length: workers - 1 }, (_, index) => {
    const name = `worker-agents-${index + 2}`;
    return { ...worker(0, 0, `leases-${index + 2}`), name, logFile: join(home.logs, `${name}.log`) };
  });
  return [
    spec('service-registry', users.registry, home.registry, {
      ...vault('service-registry', home.registry),
      GRPC_PORT: String(ports.registry),
      MANAGEMENT_PORT: String(ports.registryManagement),
      METRICS_PORT: String(ports.registryMetrics),
      HEARTBEAT_TIMEOUT_SECONDS: '15',
      HEALTH_CHECK_INTERVAL_SECONDS: '2',
    }),
    spec('orchestrator-dynamic', users.orchestrator, home.run, {
      ...vault('orchestrator-dynamic', home.orchestrator),
      ...postgresAndRegistry,
      HTTP_PORT: String(ports.orchestrator),
      MANAGEMENT_PORT: String(ports.orchestratorManagement),
      METRICS_PORT: String(ports.orchestratorMetrics),
    }),
    worker(ports.workerManagement, ports.workerMetrics),
    ...more,
  ];
}

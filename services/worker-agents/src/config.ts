import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KAFKA_GROUPS, type TaskType, taskType, WORKLOADS } from '@neural-hive/contracts';
import { messageOf } from '@neural-hive/security/common';
import {
  ConfigError,
  field,
  type KafkaSettings,
  kafkaSettings,
  readConfig,
  readParts,
  type SecuritySettings,
  securitySettings,
} from '@neural-hive/service-runtime';
import { z } from 'zod';
import { type KubernetesAllowList, kubernetesAllowList } from './adapters/kubernetes/allow-list.ts';
import type { KubernetesClientOptions } from './adapters/kubernetes/kubernetes-client.ts';
import {
  defaultPrograms,
  PROGRAM_TYPES,
  type ProgramCatalogue,
  programCatalogue,
} from './attempts/program-catalogue.ts';
import type { Capacity } from './domain/capacity.ts';

/** The types that this worker has an executor for. A type without one is never subscribed to. */
export const EXECUTABLE_TYPES = [
  'BUILD',
  'TEST',
  'VALIDATE',
  'EXECUTE',
  'TRANSFORM',
  'QUERY',
  'DEPLOY',
  'COMPENSATE',
] as const satisfies TaskType[];
export type ExecutableType = (typeof EXECUTABLE_TYPES)[number];

const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

const executable = z.enum(EXECUTABLE_TYPES, `must be among ${EXECUTABLE_TYPES.join(', ')}`);
const byType = z
  .string()
  .transform((text) => list(text).map((item) => item.split('=')))
  .pipe(z.array(z.tuple([taskType, z.string().regex(/^[1-9]\d{0,3}$/, 'must be a number')], 'must be TYPE=number')))
  .transform((entries): Capacity['byType'] => Object.fromEntries(entries.map(([type, most]) => [type, Number(most)])));
const TICKETS_NEED_URL = 'EXECUTION_TICKET_SERVICE_URL: is required and not set: with Kafka, tickets are claimed there';
const absoluteFolder = field.text().refine(isAbsolute, 'must be an absolute path');

const environment = z.object({
  ENVIRONMENT: z.enum(['development', 'dev', 'local', 'test', 'staging', 'production']).default('production'),
  /** Names this process among the workers. Default: a random one. */
  AGENT_ID: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/)
    .optional(),
  POD_NAMESPACE: field.text().default(WORKLOADS['worker-agents'].namespace),
  CLUSTER: field.text().default('local'),
  SERVICE_VERSION: field.text().default('0.1.0'),
  /** Default: those that there is something to do for, by the programs on the list. */
  SUPPORTED_TASK_TYPES: z.string().transform(list).pipe(z.array(executable).min(1)).optional(),
  /** Beside the task types. */
  CAPABILITIES: z.string().default('').transform(list),
  MAX_CONCURRENT_TASKS: field.count({ min: 1, max: 1_000 }).default(5),
  MAX_CONCURRENT_BY_TYPE: byType.default({ BUILD: 2, TEST: 2 }),
  /** How long running tickets may go on after SIGTERM before they are handed back. */
  DRAIN_GRACE_SECONDS: field.seconds({ min: 0, max: 600 }).default(3),

  /**
   * Holds artifacts, releases and, without the launcher, workspaces. With the launcher attempts must be able to cross it
   * (0711). Default: the working directory.
   */
  WORKER_DATA_FOLDER: absoluteFolder.optional(),
  /** Tickets name projects below it. */
  WORKER_PROJECTS_FOLDER: absoluteFolder.optional(),
  /** A JSON file: names to programs that BUILD and TEST may run. Default: the platform's own list. */
  ALLOWED_PROGRAMS_FILE: field.text().optional(),
  /** Where the privileged launcher of attempts listens. Without it attempts run under the worker's uid. */
  ATTEMPT_LAUNCHER_SOCKET: absoluteFolder.optional(),

  /** A JSON file: which Deployments and Jobs of a cluster tickets may name. Default: none, and no cluster is spoken to. */
  KUBERNETES_TARGETS_FILE: field.text().optional(),
  KUBERNETES_API_URL: field
    .text()
    .regex(/^https:\/\//, 'must be https')
    .default('https://kubernetes.default.svc'),
  /** Both as the kubelet lays them into a pod; read anew for each call. */
  KUBERNETES_CA_FILE: absoluteFolder.default('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'),
  KUBERNETES_TOKEN_FILE: absoluteFolder.default('/var/run/secrets/kubernetes.io/serviceaccount/token'),

  /** Of the OPA server that policies are asked of: `https`, or `http` on the loopback interface. */
  OPA_URL: field.text().optional(),
  OPA_CA_BUNDLE: field.text().optional(),
  /** Holds the bearer token for it. */
  OPA_TOKEN_FILE: field.text().optional(),
  /** Of a policy server that shows an X509-SVID; the worker shows its own. */
  OPA_SPIFFE_ID: field.text().optional(),
  /** The decisions that tickets may ask for, such as `deploy/allow`, separated by commas. */
  OPA_POLICIES: z
    .string()
    .default('')
    .transform(list)
    .pipe(z.array(z.string().regex(/^[A-Za-z0-9_]+(\/[A-Za-z0-9_]+)*$/, 'must be paths such as deploy/allow'))),

  /** Where tickets come from: rows of PostgreSQL, or Kafka with its own variables (`kafkaSettings`). */
  TICKET_TRANSPORT: z.enum(['postgres', 'kafka']).default('postgres'),
  /** The orchestrator's API, which says whose a ticket is. Needed with Kafka. */
  EXECUTION_TICKET_SERVICE_URL: z
    .string()
    .refine((url) => URL.canParse(url) && new URL(url).protocol === 'https:', 'must be an https address')
    .optional(),

  POSTGRES_HOST: field.text(),
  POSTGRES_PORT: field.port().default(5_432),
  POSTGRES_DATABASE: field.text().default('neural_hive'),
  /** Of the MongoDB that QUERY tickets may read, its database in it; the login is what Vault holds for QUERY. */
  QUERY_MONGODB_URI: field
    .text()
    .regex(/^mongodb(\+srv)?:\/\/[^@/]+\/[^@/?]+(\?.*)?$/, 'must name a database, and no login')
    .optional(),

  SERVICE_REGISTRY_HOST: field.text().default('127.0.0.1'),
  SERVICE_REGISTRY_PORT: field.port().default(50_051),
  /** Default 5 s in development, else 30 s. */
  HEARTBEAT_INTERVAL_SECONDS: field.seconds({ min: 0.1, max: 300 }).optional(),

  /** Where the Vault Agent injector writes secrets, which are then not leased. Unset: there is none. */
  VAULT_AGENT_SECRETS_PATH: field.text().optional(),
  /** How often the stored login of the announcements is looked at. */
  VAULT_KV_POLL_SECONDS: field.seconds({ min: 0.05, max: 3_600 }).default(1),

  METRICS_HOST: field.text().default('127.0.0.1'),
  METRICS_PORT: field.port().default(9_090),
  MANAGEMENT_HOST: field.text().default('127.0.0.1'),
  MANAGEMENT_PORT: field.port().default(0),
});

/** Everything that a worker process is told. No secret is in it. */
export interface WorkerConfig {
  readonly environment: string;
  readonly agentId: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly version: string;
  readonly types: readonly ExecutableType[];
  readonly capabilities: readonly string[];
  readonly capacity: Capacity;
  readonly drainGraceMs: number;
  readonly folders: { readonly artifacts: string; readonly releases: string; readonly workspaces: string };
  readonly projects: string;
  readonly programs: ProgramCatalogue;
  readonly launcherSocket: string | undefined;
  readonly opa:
    | {
        readonly url: string;
        readonly caFile: string | undefined;
        readonly tokenFile: string | undefined;
        readonly spiffeId: string | undefined;
        readonly policies: readonly string[];
      }
    | undefined;
  readonly kubernetes: (KubernetesClientOptions & { readonly allowed: KubernetesAllowList }) | undefined;
  readonly queryMongodbUri: string | undefined;
  readonly postgres: { readonly host: string; readonly port: number; readonly database: string };
  readonly tickets:
    | { readonly transport: 'postgres' }
    | { readonly transport: 'kafka'; readonly kafka: KafkaSettings; readonly orchestratorUrl: string };
  readonly registry: {
    readonly address: string;
    readonly host: string;
    readonly port: number;
    readonly heartbeatMs: number;
  };
  readonly security: SecuritySettings;
  /** How often the stored login of the announcements is looked at. */
  readonly kvPollMs: number;
  /** The folder of the injector's agent. */
  readonly injectedSecrets: string | undefined;
  readonly metrics: { readonly host: string; readonly port: number };
  readonly management: { readonly host: string; readonly port: number };
}

/**
 * The variables above, and those of `VaultConfig`, `SpiffeConfig` and `SecurityConfig`.
 * @throws ConfigError with every problem
 */
export function workerConfig(env: Readonly<Record<string, string | undefined>> = process.env): WorkerConfig {
  const { read, tickets, security, programs, targets } = readParts({
    read: () => readConfig(environment, env),
    tickets: () => readTickets(env),
    security: () => securitySettings('worker-agents', env),
    programs: () => readPrograms(env.ALLOWED_PROGRAMS_FILE || undefined),
    targets: () =>
      readAllowList('KUBERNETES_TARGETS_FILE', env.KUBERNETES_TARGETS_FILE || undefined, kubernetesAllowList),
  });
  const data = read.WORKER_DATA_FOLDER ?? process.cwd();
  const heartbeat = read.HEARTBEAT_INTERVAL_SECONDS ?? (read.ENVIRONMENT === 'development' ? 5 : 30);
  return {
    environment: read.ENVIRONMENT,
    agentId: read.AGENT_ID ?? `worker-${randomBytes(4).toString('hex')}`,
    namespace: read.POD_NAMESPACE,
    cluster: read.CLUSTER,
    version: read.SERVICE_VERSION,
    types: typesOf(read.SUPPORTED_TASK_TYPES, programs, targets),
    capabilities: read.CAPABILITIES,
    capacity: { total: read.MAX_CONCURRENT_TASKS, byType: read.MAX_CONCURRENT_BY_TYPE },
    drainGraceMs: read.DRAIN_GRACE_SECONDS * 1_000,
    folders: {
      artifacts: join(data, 'artifacts'),
      releases: join(data, 'releases'),
      workspaces: join(data, 'workspaces'),
    },
    projects: read.WORKER_PROJECTS_FOLDER ?? fileURLToPath(new URL('../../../examples/projects', import.meta.url)),
    programs,
    launcherSocket: read.ATTEMPT_LAUNCHER_SOCKET,
    opa:
      read.OPA_URL === undefined
        ? undefined
        : {
            url: read.OPA_URL,
            caFile: read.OPA_CA_BUNDLE,
            tokenFile: read.OPA_TOKEN_FILE,
            spiffeId: read.OPA_SPIFFE_ID,
            policies: read.OPA_POLICIES,
          },
    kubernetes: targets && {
      url: read.KUBERNETES_API_URL,
      caFile: read.KUBERNETES_CA_FILE,
      tokenFile: read.KUBERNETES_TOKEN_FILE,
      allowed: targets,
    },
    queryMongodbUri: read.QUERY_MONGODB_URI,
    postgres: { host: read.POSTGRES_HOST, port: read.POSTGRES_PORT, database: read.POSTGRES_DATABASE },
    registry: {
      address: `${read.SERVICE_REGISTRY_HOST}:${read.SERVICE_REGISTRY_PORT}`,
      host: read.SERVICE_REGISTRY_HOST,
      port: read.SERVICE_REGISTRY_PORT,
      heartbeatMs: heartbeat * 1_000,
    },
    tickets,
    security,
    kvPollMs: read.VAULT_KV_POLL_SECONDS * 1_000,
    injectedSecrets: read.VAULT_AGENT_SECRETS_PATH,
    metrics: { host: read.METRICS_HOST, port: read.METRICS_PORT },
    management: { host: read.MANAGEMENT_HOST, port: read.MANAGEMENT_PORT },
  };
}

function readTickets(env: Readonly<Record<string, string | undefined>>): WorkerConfig['tickets'] {
  if (env.TICKET_TRANSPORT !== 'kafka') return { transport: 'postgres' };
  const { kafka, orchestratorUrl } = readParts({
    kafka: () => kafkaSettings({ groupId: KAFKA_GROUPS.workers }, env),
    orchestratorUrl: () => {
      const url = env.EXECUTION_TICKET_SERVICE_URL;
      if (url === undefined || url === '') throw new ConfigError([TICKETS_NEED_URL]);
      return url;
    },
  });
  return { transport: 'kafka', kafka, orchestratorUrl };
}

/** A type whose work is done by programs needs one; a job is one for EXECUTE. */
function typesOf(
  wanted: readonly ExecutableType[] | undefined,
  programs: ProgramCatalogue,
  targets: KubernetesAllowList | undefined,
): readonly ExecutableType[] {
  const jobs = Object.keys(targets?.jobs ?? {}).length > 0;
  const idle = PROGRAM_TYPES.filter(
    (type) => Object.values(programs).every((one) => !one.task_types.includes(type)) && !(type === 'EXECUTE' && jobs),
  );
  const without = (wanted ?? []).filter((type) => idle.some((other) => other === type));
  if (without.length > 0) {
    throw new ConfigError(without.map((type) => `SUPPORTED_TASK_TYPES: no program on the list is for ${type}`));
  }
  const types = wanted ?? EXECUTABLE_TYPES.filter((type) => !idle.some((other) => other === type));
  return EXECUTABLE_TYPES.filter((type) => types.includes(type));
}

/** The folder of the TypeScript compiler that is installed with the worker. */
export function installedTypescript(): string {
  return dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
}

function readPrograms(file: string | undefined): ProgramCatalogue {
  return (
    readAllowList('ALLOWED_PROGRAMS_FILE', file, programCatalogue) ??
    defaultPrograms({ typescript: installedTypescript() })
  );
}

/** Undefined when no file is named. */
function readAllowList<Schema extends z.ZodType>(
  name: string,
  file: string | undefined,
  schema: Schema,
): z.output<Schema> | undefined {
  if (file === undefined) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(resolve(file), 'utf8'));
  } catch (error) {
    throw new ConfigError([`${name}: cannot be read: ${messageOf(error)}`]);
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map(({ path, message }) => `${name}: ${path.join('.')}: ${message}`));
}

import { SPIFFE_IDS } from '@neural-hive/contracts';
import { messageOf } from '@neural-hive/security/common';
import { SpiffeId } from '@neural-hive/security/spiffe';
import {
  ConfigError,
  type Environment,
  field,
  readConfig,
  readParts,
  type SecuritySettings,
  securitySettings,
} from '@neural-hive/service-runtime';
import { z } from 'zod';
import type { RoleTable } from './api/operations.ts';
import { type ProductionSettings, productionSettings } from './production-config.ts';

const spiffeIds = () =>
  z
    .string()
    .default(SPIFFE_IDS.operator)
    .transform((text, context) =>
      text.split(',').map((item) => {
        try {
          return SpiffeId.parse(item.trim()).toString();
        } catch (error) {
          context.addIssue({ code: 'custom', message: messageOf(error) });
          return '';
        }
      }),
    );

const environment = z.object({
  ENVIRONMENT: z.enum(['development', 'dev', 'local', 'test', 'staging', 'production']).default('production'),
  HTTP_HOST: field.text().default('127.0.0.1'),
  HTTP_PORT: field.port().default(8_000),
  METRICS_HOST: field.text().default('127.0.0.1'),
  METRICS_PORT: field.port().default(9_090),
  MANAGEMENT_HOST: field.text().default('127.0.0.1'),
  MANAGEMENT_PORT: field.port().default(0),

  POSTGRES_HOST: field.text(),
  POSTGRES_PORT: field.port().default(5_432),
  POSTGRES_DATABASE: field.text().default('neural_hive'),
  /** Not for a Unix socket, which TLS does not protect. */
  POSTGRES_SSL_MODE: z.enum(['disable', 'verify-full']).default('verify-full'),
  POSTGRES_POOL_SIZE: field.count({ min: 4, max: 100 }).default(10),

  SERVICE_REGISTRY_HOST: field.text(),
  SERVICE_REGISTRY_PORT: field.port().default(50_051),
  SERVICE_REGISTRY_TIMEOUT_SECONDS: field.seconds({ max: 60 }).default(3),
  /** How long a plan waits for somebody who can do it. */
  ADMISSION_WINDOW_SECONDS: field.seconds({ min: 0.1, max: 3_600 }).default(10),

  /** Who may do what: SPIFFE IDs, separated by commas. Who has any role may read. Default: the operator. */
  API_SUBMITTERS: spiffeIds(),
  API_APPROVERS: spiffeIds(),
  API_CANCELLERS: spiffeIds(),
  API_READERS: spiffeIds(),
  /** Whether who submitted a plan may approve it too. */
  APPROVAL_BY_SUBMITTER: field.flag().default(true),

  /** Where the Vault Agent injector writes secrets, which are then not leased. Unset: there is none. */
  VAULT_AGENT_SECRETS_PATH: field.text().optional(),
  /** How often the announcement login is compared with the stored one. */
  KV_POLL_SECONDS: field.seconds({ min: 0.05 }).default(5),
  /** What plans run on; `TICKET_TRANSPORT` follows it and may say so. */
  ORCHESTRATOR_ENGINE: z.enum(['postgres', 'temporal']).default('postgres'),
  TICKET_TRANSPORT: z.enum(['postgres', 'kafka']).optional(),
  ENGINE_POLL_MS: field.count({ min: 10, max: 10_000 }).default(200),
  ENGINE_CONCURRENCY: field.count({ min: 1, max: 64 }).default(4),
  RETRY_INITIAL_INTERVAL_MS: field.count({ min: 1 }).default(1_000),
  RETRY_MAX_INTERVAL_MS: field.count({ min: 1, max: 86_400_000 }).default(30_000),
  SLA_TICKET_MIN_TIMEOUT_MS: field.count({ min: 1, max: 86_400_000 }).default(60_000),
  COMPENSATION_MAX_RETRIES: field.count({ max: 100 }).default(5),
});

const choice = environment.pick({ ORCHESTRATOR_ENGINE: true, TICKET_TRANSPORT: true });

export interface OrchestratorConfig {
  readonly security: SecuritySettings;
  /** How often the announcement login is compared with the stored one. */
  readonly kvPollMs: number;
  /** The folder of the injector's agent. */
  readonly injectedSecrets: string | undefined;
  readonly api: { readonly host: string; readonly port: number };
  readonly roles: RoleTable;
  readonly metrics: { readonly host: string; readonly port: number };
  readonly management: { readonly host: string; readonly port: number };
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly tls: boolean;
    readonly poolSize: number;
  };
  readonly registry: { readonly address: string; readonly timeoutMs: number; readonly windowMs: number };
  readonly engine: { readonly pollMs: number; readonly concurrency: number };
  /** Undefined where plans run on PostgreSQL alone. */
  readonly production: ProductionSettings | undefined;
  readonly policy: {
    readonly retryBaseMs: number;
    readonly retryCapMs: number;
    readonly minTimeoutMs: number;
    readonly compensationRetries: number;
    readonly selfApproval: boolean;
  };
}

/** Of the production engine, where it was chosen. */
function productionOf(env: Environment): ProductionSettings | undefined {
  const { ORCHESTRATOR_ENGINE: engine, TICKET_TRANSPORT: transport } = readConfig(choice, env);
  const carried = engine === 'temporal' ? 'kafka' : 'postgres';
  if (transport !== undefined && transport !== carried) {
    throw new ConfigError([`TICKET_TRANSPORT: must be ${carried}: ORCHESTRATOR_ENGINE is ${engine}`]);
  }
  return engine === 'temporal' ? productionSettings(env) : undefined;
}

/**
 * The variables above, those of `productionSettings` where it counts, and those of `VaultConfig`, `SpiffeConfig` and `SecurityConfig`.
 * @throws ConfigError with every problem
 */
export function orchestratorConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): OrchestratorConfig {
  const { read, production, security } = readParts({
    read: () => readConfig(environment, env),
    production: () => productionOf(env),
    security: () => securitySettings('orchestrator-dynamic', env),
  });
  const overSocket = read.POSTGRES_HOST.startsWith('/');
  return {
    security,
    kvPollMs: read.KV_POLL_SECONDS * 1_000,
    injectedSecrets: read.VAULT_AGENT_SECRETS_PATH,
    api: { host: read.HTTP_HOST, port: read.HTTP_PORT },
    roles: {
      submit: read.API_SUBMITTERS,
      approve: read.API_APPROVERS,
      cancel: read.API_CANCELLERS,
      read: read.API_READERS,
    },
    metrics: { host: read.METRICS_HOST, port: read.METRICS_PORT },
    management: { host: read.MANAGEMENT_HOST, port: read.MANAGEMENT_PORT },
    postgres: {
      host: read.POSTGRES_HOST,
      port: read.POSTGRES_PORT,
      database: read.POSTGRES_DATABASE,
      tls: !overSocket && read.POSTGRES_SSL_MODE === 'verify-full',
      poolSize: read.POSTGRES_POOL_SIZE,
    },
    registry: {
      address: `${read.SERVICE_REGISTRY_HOST}:${read.SERVICE_REGISTRY_PORT}`,
      timeoutMs: read.SERVICE_REGISTRY_TIMEOUT_SECONDS * 1_000,
      windowMs: read.ADMISSION_WINDOW_SECONDS * 1_000,
    },
    engine: { pollMs: read.ENGINE_POLL_MS, concurrency: read.ENGINE_CONCURRENCY },
    production,
    policy: {
      retryBaseMs: read.RETRY_INITIAL_INTERVAL_MS,
      retryCapMs: read.RETRY_MAX_INTERVAL_MS,
      minTimeoutMs: read.SLA_TICKET_MIN_TIMEOUT_MS,
      compensationRetries: read.COMPENSATION_MAX_RETRIES,
      selfApproval: read.APPROVAL_BY_SUBMITTER,
    },
  };
}

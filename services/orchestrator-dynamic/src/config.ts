import { AGENT_SOCKET, AUDIENCES, SPIFFE_ISSUER, TRUST_DOMAIN, VAULT_MOUNTS } from '@neural-hive/contracts';
import { field, readConfig } from '@neural-hive/service-runtime';
import { z } from 'zod';

/** The values that only mean anything when they switch a check off; none of them is taken. */
const mustBe = (value: 'true' | 'false', why: string) =>
  z
    .string()
    .refine((given) => given === value, `must be ${value}: ${why}`)
    .optional();

const environment = z.object({
  ENVIRONMENT: z.enum(['development', 'test', 'staging', 'production']).default('production'),
  HTTP_HOST: field.text().default('127.0.0.1'),
  HTTP_PORT: field.port().default(8_000),
  METRICS_HOST: field.text().default('127.0.0.1'),
  METRICS_PORT: field.port().default(9_090),
  MANAGEMENT_HOST: field.text().default('127.0.0.1'),
  MANAGEMENT_PORT: field.port().default(0),

  SPIFFE_ENABLED: mustBe('true', 'nothing runs without an identity'),
  SPIFFE_ENDPOINT_SOCKET: field.text().optional(),
  SPIFFE_SOCKET_PATH: field.text().optional(),
  SPIFFE_TRUST_DOMAIN: field.text().default(TRUST_DOMAIN),
  SPIFFE_ISSUER: field.text().default(SPIFFE_ISSUER),
  /** Of the token that logs in to Vault. */
  SPIFFE_JWT_AUDIENCE: field.text().default(AUDIENCES.vault),

  VAULT_ENABLED: mustBe('true', 'every credential is leased'),
  VAULT_FAIL_OPEN: mustBe('false', 'there is no static credential to fall back to'),
  VAULT_ADDRESS: z.url().default('https://vault.vault.svc.cluster.local:8200'),
  VAULT_CA_BUNDLE: field.text().optional(),
  VAULT_NAMESPACE: field.text().optional(),
  VAULT_AUTH_METHOD: z.enum(['kubernetes', 'jwt']).default('kubernetes'),
  VAULT_KUBERNETES_ROLE: field.text().default('orchestrator-dynamic'),
  VAULT_TOKEN_PATH: field.text().default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
  VAULT_MOUNT_KV: field.text().default(VAULT_MOUNTS.kv),
  VAULT_MOUNT_DATABASE: field.text().default(VAULT_MOUNTS.database),
  VAULT_TIMEOUT_SECONDS: field.seconds({ max: 600 }).default(5),
  VAULT_MAX_RETRIES: field.count({ max: 10 }).default(3),

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

  /** How often the announcement login is compared with the stored one. */
  KV_POLL_SECONDS: field.seconds({ min: 0.05 }).default(5),
  ENGINE_POLL_MS: field.count({ min: 10, max: 10_000 }).default(200),
  ENGINE_CONCURRENCY: field.count({ min: 1, max: 64 }).default(4),
  RETRY_INITIAL_INTERVAL_MS: field.count({ min: 1 }).default(1_000),
  RETRY_MAX_INTERVAL_MS: field.count({ min: 1, max: 86_400_000 }).default(30_000),
  SLA_TICKET_MIN_TIMEOUT_MS: field.count({ min: 1, max: 86_400_000 }).default(60_000),
  COMPENSATION_MAX_RETRIES: field.count({ max: 100 }).default(5),
});

export interface OrchestratorConfig {
  /** Seconds that a token may be past its times. */
  readonly leewaySeconds: number;
  readonly api: { readonly host: string; readonly port: number };
  readonly metrics: { readonly host: string; readonly port: number };
  readonly management: { readonly host: string; readonly port: number };
  readonly spiffe: {
    readonly endpoint: string;
    readonly trustDomain: string;
    readonly issuer: string;
  };
  readonly vault: {
    readonly address: string;
    readonly caFile: string | undefined;
    readonly namespace: string | undefined;
    readonly authMethod: 'kubernetes' | 'jwt';
    readonly role: string;
    /** Of the token that logs in. */
    readonly audience: string;
    readonly tokenFile: string;
    readonly kvMount: string;
    readonly databaseMount: string;
    readonly requestTimeoutMs: number;
    readonly maxRetries: number;
    readonly kvPollMs: number;
  };
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly tls: boolean;
    readonly poolSize: number;
  };
  readonly registry: { readonly address: string; readonly timeoutMs: number; readonly windowMs: number };
  readonly engine: { readonly pollMs: number; readonly concurrency: number };
  readonly policy: {
    readonly retryBaseMs: number;
    readonly retryCapMs: number;
    readonly minTimeoutMs: number;
    readonly compensationRetries: number;
  };
}

/** Throws a `ConfigError` with every problem. */
export function orchestratorConfig(env?: Readonly<Record<string, string | undefined>>): OrchestratorConfig {
  const read = readConfig(environment, env);
  const overSocket = read.POSTGRES_HOST.startsWith('/');
  return {
    leewaySeconds: read.ENVIRONMENT === 'development' || read.ENVIRONMENT === 'test' ? 0 : 30,
    api: { host: read.HTTP_HOST, port: read.HTTP_PORT },
    metrics: { host: read.METRICS_HOST, port: read.METRICS_PORT },
    management: { host: read.MANAGEMENT_HOST, port: read.MANAGEMENT_PORT },
    spiffe: {
      endpoint: read.SPIFFE_ENDPOINT_SOCKET ?? read.SPIFFE_SOCKET_PATH ?? `unix://${AGENT_SOCKET}`,
      trustDomain: read.SPIFFE_TRUST_DOMAIN,
      issuer: read.SPIFFE_ISSUER,
    },
    vault: {
      address: read.VAULT_ADDRESS,
      caFile: read.VAULT_CA_BUNDLE,
      namespace: read.VAULT_NAMESPACE,
      authMethod: read.VAULT_AUTH_METHOD,
      role: read.VAULT_KUBERNETES_ROLE,
      audience: read.SPIFFE_JWT_AUDIENCE,
      tokenFile: read.VAULT_TOKEN_PATH,
      kvMount: read.VAULT_MOUNT_KV,
      databaseMount: read.VAULT_MOUNT_DATABASE,
      requestTimeoutMs: read.VAULT_TIMEOUT_SECONDS * 1_000,
      maxRetries: read.VAULT_MAX_RETRIES,
      kvPollMs: read.KV_POLL_SECONDS * 1_000,
    },
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
    policy: {
      retryBaseMs: read.RETRY_INITIAL_INTERVAL_MS,
      retryCapMs: read.RETRY_MAX_INTERVAL_MS,
      minTimeoutMs: read.SLA_TICKET_MIN_TIMEOUT_MS,
      compensationRetries: read.COMPENSATION_MAX_RETRIES,
    },
  };
}

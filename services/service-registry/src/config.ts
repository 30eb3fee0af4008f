import { AUDIENCES } from '@neural-hive/contracts';
import { ConfigError, VaultConfig, type VaultLogin } from '@neural-hive/security/config';
import { field, readConfig } from '@neural-hive/service-runtime';
import { z } from 'zod';

const environment = z.object({
  /** `development` checks tokens without leeway: all hops share one clock. */
  ENVIRONMENT: z.enum(['development', 'test', 'staging', 'production']).default('development'),
  GRPC_HOST: field.text().default('127.0.0.1'),
  GRPC_PORT: field.port().default(50_051),
  METRICS_HOST: field.text().default('127.0.0.1'),
  METRICS_PORT: field.port().default(9_090),
  MANAGEMENT_HOST: field.text().default('127.0.0.1'),
  MANAGEMENT_PORT: field.port().default(0),
  HEALTH_CHECK_INTERVAL_SECONDS: field.seconds({ min: 0.05 }).default(60),
  HEARTBEAT_TIMEOUT_SECONDS: field.seconds({ min: 0.1 }).default(120),
  SPIFFE_ENDPOINT_SOCKET: field.text().optional(),
  /** The name of the same setting in the original system. */
  SPIFFE_SOCKET_PATH: field.text().optional(),
  /** `memory` belongs to one process, `redis` to any number of replicas. */
  REGISTRY_STORE: z.enum(['memory', 'redis']).default('memory'),
  /** For `memory`: where agents survive a restart; without it they register again. */
  REGISTRY_JOURNAL_FILE: field.text().optional(),
  /** For `redis`; its login is leased from Vault. */
  REDIS_HOST: field.text().optional(),
  REDIS_PORT: field.port().default(6_379),
  /** The server's CA, PEM. Unset: the system's. */
  REDIS_CA_BUNDLE: field.text().optional(),
  /** Where the Vault Agent injector writes secrets, which are then not leased. Unset: there is none. */
  VAULT_AGENT_SECRETS_PATH: field.text().optional(),
  MAX_AGENTS: field.count({ min: 1 }).default(20_000),
  MAX_AGENTS_PER_IDENTITY: field.count({ min: 1 }).default(10_000),
  MAX_WATCHES_PER_IDENTITY: field.count({ min: 1 }).default(256),
});

/** With a service account token, or with a JWT-SVID for `audience`. */
export type RegistryVaultLogin =
  | Extract<VaultLogin, { method: 'kubernetes' }>
  | { readonly method: 'jwt'; readonly mount: string; readonly role: string; readonly audience: string };

export interface RegistryConfig {
  /** Seconds that a token may be past its times. */
  readonly leewaySeconds: number;
  readonly grpc: { readonly host: string; readonly port: number };
  readonly metrics: { readonly host: string; readonly port: number };
  readonly management: { readonly host: string; readonly port: number };
  readonly healthCheckIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Undefined: the library's default, which reads `SPIFFE_ENDPOINT_SOCKET`. */
  readonly spiffeEndpoint: string | undefined;
  readonly store:
    | { readonly kind: 'memory'; readonly journalPath: string | undefined }
    | {
        readonly kind: 'redis';
        readonly place: { readonly host: string; readonly port: number; readonly caFile: string | undefined };
        readonly vault: VaultConfig;
        readonly login: RegistryVaultLogin;
        /** The folder of the injector's agent. */
        readonly injectedSecrets: string | undefined;
      };
  readonly maxAgents: number;
  readonly maxAgentsPerIdentity: number;
  readonly maxWatchesPerIdentity: number;
}

/** Throws a `ConfigError` with every problem. */
export function registryConfig(env: Readonly<Record<string, string | undefined>> = process.env): RegistryConfig {
  const read = readConfig(environment, env);
  return {
    leewaySeconds: read.ENVIRONMENT === 'development' || read.ENVIRONMENT === 'test' ? 0 : 30,
    grpc: { host: read.GRPC_HOST, port: read.GRPC_PORT },
    metrics: { host: read.METRICS_HOST, port: read.METRICS_PORT },
    management: { host: read.MANAGEMENT_HOST, port: read.MANAGEMENT_PORT },
    healthCheckIntervalMs: read.HEALTH_CHECK_INTERVAL_SECONDS * 1000,
    heartbeatTimeoutMs: read.HEARTBEAT_TIMEOUT_SECONDS * 1000,
    spiffeEndpoint: read.SPIFFE_ENDPOINT_SOCKET ?? read.SPIFFE_SOCKET_PATH,
    store: storeOf(read, env),
    maxAgents: read.MAX_AGENTS,
    maxAgentsPerIdentity: read.MAX_AGENTS_PER_IDENTITY,
    maxWatchesPerIdentity: read.MAX_WATCHES_PER_IDENTITY,
  };
}

function storeOf(
  read: z.output<typeof environment>,
  env: Readonly<Record<string, string | undefined>>,
): RegistryConfig['store'] {
  if (read.REGISTRY_STORE === 'memory') return { kind: 'memory', journalPath: read.REGISTRY_JOURNAL_FILE };
  const { REDIS_HOST: host, REDIS_PORT: port, REDIS_CA_BUNDLE: caFile } = read;
  const vault = VaultConfig.fromEnv({
    ...env,
    VAULT_KUBERNETES_ROLE: env.VAULT_KUBERNETES_ROLE || 'service-registry',
    VAULT_JWT_AUDIENCE: env.VAULT_JWT_AUDIENCE || AUDIENCES.vault,
  });
  const problems: string[] = [];
  if (!vault.enabled) problems.push('VAULT_ENABLED: must be true for REGISTRY_STORE=redis, whose login is leased');
  if (vault.failOpen) problems.push('VAULT_FAIL_OPEN: must be false, there is no login to fall back to');
  const login = vaultLoginOf(vault.login);
  if (login === undefined) problems.push('VAULT_AUTH_METHOD: must be kubernetes or jwt');
  if (host === undefined) problems.push('REDIS_HOST: is required for REGISTRY_STORE=redis and not set');
  if (host === undefined || login === undefined || problems.length > 0) throw new ConfigError(problems);
  const injectedSecrets = read.VAULT_AGENT_SECRETS_PATH;
  return { kind: 'redis', place: { host, port, caFile }, vault, login, injectedSecrets };
}

function vaultLoginOf(login: VaultLogin): RegistryVaultLogin | undefined {
  if (login.method === 'kubernetes') return login;
  if (login.method !== 'jwt' || login.audience === undefined) return undefined;
  const { method, mount, role, audience } = login;
  return { method, mount, role, audience };
}

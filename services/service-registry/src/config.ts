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
  /** Where agents survive a restart; without it they register again. */
  REGISTRY_JOURNAL_FILE: field.text().optional(),
  MAX_AGENTS: field.count({ min: 1 }).default(20_000),
  MAX_AGENTS_PER_IDENTITY: field.count({ min: 1 }).default(10_000),
  MAX_WATCHES_PER_IDENTITY: field.count({ min: 1 }).default(256),
});

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
  readonly journalPath: string | undefined;
  readonly maxAgents: number;
  readonly maxAgentsPerIdentity: number;
  readonly maxWatchesPerIdentity: number;
}

/** Throws a `ConfigError` with every problem. */
export function registryConfig(env?: Readonly<Record<string, string | undefined>>): RegistryConfig {
  const read = readConfig(environment, env);
  return {
    leewaySeconds: read.ENVIRONMENT === 'development' || read.ENVIRONMENT === 'test' ? 0 : 30,
    grpc: { host: read.GRPC_HOST, port: read.GRPC_PORT },
    metrics: { host: read.METRICS_HOST, port: read.METRICS_PORT },
    management: { host: read.MANAGEMENT_HOST, port: read.MANAGEMENT_PORT },
    healthCheckIntervalMs: read.HEALTH_CHECK_INTERVAL_SECONDS * 1000,
    heartbeatTimeoutMs: read.HEARTBEAT_TIMEOUT_SECONDS * 1000,
    spiffeEndpoint: read.SPIFFE_ENDPOINT_SOCKET ?? read.SPIFFE_SOCKET_PATH,
    journalPath: read.REGISTRY_JOURNAL_FILE,
    maxAgents: read.MAX_AGENTS,
    maxAgentsPerIdentity: read.MAX_AGENTS_PER_IDENTITY,
    maxWatchesPerIdentity: read.MAX_WATCHES_PER_IDENTITY,
  };
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SecurityConfig, SpiffeConfig, VaultConfig } from '@neural-hive/security/config';
import type { ServiceName } from '../service-charts.ts';

/** Read by every service before it reads anything else (`run-service.ts`), and by Node and its modules. */
const OF_EVERY_SERVICE = ['LOG_LEVEL', 'HIVE_PARENT_PIPE', 'NODE_ENV', 'NODE_EXTRA_CA_CERTS'];

/** Fields of an object schema as `src/config.ts` writes it: `  GRPC_PORT: field.port()`. */
const FIELD = /^ {2}([A-Z][A-Z0-9_]+):/gm;

function shapeOf(...schemas: readonly { readonly shape: object }[]): string[] {
  return schemas.flatMap(({ shape }) => Object.keys(shape));
}

/** The files in which each of the services, and the migration of their database, reads its environment. */
const CONFIGURATIONS = {
  'orchestrator-dynamic': [
    'services/orchestrator-dynamic/src/config.ts',
    'services/orchestrator-dynamic/src/production-config.ts',
    'libraries/service-runtime/src/kafka/kafka-settings.ts',
  ],
  'worker-agents': ['services/worker-agents/src/config.ts', 'libraries/service-runtime/src/kafka/kafka-settings.ts'],
  'service-registry': ['services/service-registry/src/config.ts'],
  migration: ['services/orchestrator-dynamic/src/migration/migration-config.ts'],
} as const satisfies Readonly<Record<ServiceName | 'migration', readonly string[]>>;

export const PROGRAMS = Object.keys(CONFIGURATIONS) as readonly (keyof typeof CONFIGURATIONS)[];

/** The names of all variables that the code reads. */
export function variablesOf(root: string, program: keyof typeof CONFIGURATIONS): readonly string[] {
  const config = CONFIGURATIONS[program].map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const own = [...config.matchAll(FIELD)].map(([, name = '']) => name);
  const shared = config.includes('securitySettings(')
    ? shapeOf(VaultConfig.schema, SpiffeConfig.schema, SecurityConfig.schema)
    : config.includes('VaultConfig.fromEnv(')
      ? shapeOf(VaultConfig.schema)
      : [];
  return [...new Set([...own, ...shared, ...OF_EVERY_SERVICE])].sort();
}

/** What the code reads and no pod is given, and why. */
export const NOT_IN_PODS: Readonly<Record<string, string>> = {
  HIVE_PARENT_PIPE: 'a pod has no supervisor at its standard input',
  SPIFFE_SOCKET_PATH: 'another name of SPIFFE_ENDPOINT_SOCKET',
  SPIFFE_JWT_AUDIENCE: 'another name of VAULT_JWT_AUDIENCE; the audience for the service is the platform’s',
  SPIFFE_ENVIRONMENT: 'ENVIRONMENT says it',
  REGISTRY_JOURNAL_FILE: 'production keeps agents in Redis; with REGISTRY_STORE=memory it is given',
  VAULT_AGENT_SECRETS_PATH: 'nobody writes there unless vault.mode is agent',
  TEMPORAL_SDK: 'the image has the packages where the service has its own',
  // Of the original system: there is one value, which the code insists on.
  TEMPORAL_TLS_ENABLED: 'is always on',
  KAFKA_SECURITY_PROTOCOL: 'is always SASL_SSL',
  KAFKA_SASL_MECHANISM: 'is always SCRAM-SHA-512',
  KAFKA_ENABLE_AUTO_COMMIT: 'is always off',
  KAFKA_SASL_USERNAME: 'is refused: the login comes from Vault',
  KAFKA_SASL_PASSWORD: 'is refused: the login comes from Vault',
  ATTEMPT_LAUNCHER_SOCKET: 'the launcher runs as root, which Pod Security restricted forbids',
  // Switches that only mean something when they switch a check off.
  VAULT_ENABLED: 'is always on',
  VAULT_TLS_VERIFY: 'is always on',
  VAULT_FAIL_OPEN: 'is refused in production',
  SECURITY_ENABLE_VAULT: 'is always on',
  SECURITY_ENABLE_SPIFFE: 'is always on',
  // Fallbacks for machines without an agent.
  SPIFFE_FALLBACK_ALLOWED: 'a pod has an agent',
  SPIFFE_ID: 'a pod has an agent',
  SPIFFE_X509_SVID_PATH: 'a pod has an agent',
  SPIFFE_X509_SVID: 'a pod has an agent',
  SPIFFE_X509_KEY_PATH: 'a pod has an agent',
  SPIFFE_X509_KEY: 'a pod has an agent',
  SPIFFE_JWT_TOKEN_PATH: 'a pod has an agent',
  SPIFFE_JWT_TOKEN: 'a pod has an agent',
  SPIFFE_X509_BUNDLE_PATH: 'a pod has an agent',
  SPIFFE_JWT_BUNDLE_PATH: 'a pod has an agent',
  SPIFFE_BUNDLE_MAP_PATH: 'a pod has an agent',
  // Logins with something that somebody would have to keep.
  VAULT_ROLE_ID: 'a pod logs in with its own identity',
  VAULT_SECRET_ID_PATH: 'a pod logs in with its own identity',
  VAULT_SECRET_ID: 'a pod logs in with its own identity',
  VAULT_TOKEN: 'a pod logs in with its own identity',
};

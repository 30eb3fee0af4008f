import { field, type KafkaSettings, kafkaSettings, readConfig, readParts } from '@neural-hive/service-runtime';
import { z } from 'zod';

/** What the production engine runs on. No secret is in it: logins come from Vault, the identity from SPIFFE. */
export interface ProductionSettings {
  readonly temporal: {
    /** `host:port` */
    readonly address: string;
    readonly namespace: string;
    readonly taskQueue: string;
    /** The authority of the server's certificate, PEM; read anew for each connection. Undefined: the system's. */
    readonly caFile: string | undefined;
    /** The DNS name that the server must prove. Undefined: the host of the address. */
    readonly serverName: string | undefined;
    /** The folder whose `node_modules` has the packages of Temporal. Undefined: where the service's packages are. */
    readonly sdkFolder: string | undefined;
  };
  readonly mongodb: {
    /** Without a login. */
    readonly uri: string;
    readonly database: string;
    /** Where the login comes from: the KV entry, or the database engine where it has MongoDB. */
    readonly credentials: 'kv' | 'database';
  };
  readonly kafka: KafkaSettings;
}

const mongodbUri = field.text().superRefine((text, context) => {
  const problem = problemOf(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

function problemOf(text: string): string | undefined {
  const scheme = /^mongodb(\+srv)?:\/\//.exec(text);
  if (scheme === null) return 'must begin with mongodb:// or mongodb+srv://';
  const [hosts = '', query = ''] = text.slice(scheme[0].length).split('?');
  if (hosts.includes('@')) return 'must hold no login: it comes from Vault and is replaced while the service runs';
  const tls = new URLSearchParams(query).get('tls') ?? (scheme[1] === undefined ? 'false' : 'true');
  return tls === 'true' ? undefined : 'must have tls=true: a login is not sent without TLS';
}

const environment = z.object({
  TEMPORAL_HOST: field.text(),
  TEMPORAL_PORT: field.port().default(7_233),
  TEMPORAL_NAMESPACE: field.text().default('default'),
  TEMPORAL_TASK_QUEUE: field.text().default('orchestrator-dynamic'),
  TEMPORAL_TLS_ENABLED: z.literal('true', 'must be true: the identity of this service is its certificate').optional(),
  TEMPORAL_TLS_CA_LOCATION: field.text().optional(),
  TEMPORAL_TLS_SERVER_NAME: field.text().optional(),
  TEMPORAL_SDK: field.text().optional(),
  MONGODB_URI: mongodbUri,
  MONGODB_DATABASE: field.text().default('neural_hive_orchestration'),
  MONGODB_CREDENTIALS: z.enum(['kv', 'database']).default('kv'),
});

/**
 * The variables above, and those of `kafkaSettings`.
 * @throws ConfigError with every problem
 */
export function productionSettings(env: Readonly<Record<string, string | undefined>>): ProductionSettings {
  const { read, kafka } = readParts({
    read: () => readConfig(environment, env),
    kafka: () => kafkaSettings({ groupId: 'orchestrator-dynamic' }, env),
  });
  return {
    temporal: {
      address: `${read.TEMPORAL_HOST}:${read.TEMPORAL_PORT}`,
      namespace: read.TEMPORAL_NAMESPACE,
      taskQueue: read.TEMPORAL_TASK_QUEUE,
      caFile: read.TEMPORAL_TLS_CA_LOCATION,
      serverName: read.TEMPORAL_TLS_SERVER_NAME,
      sdkFolder: read.TEMPORAL_SDK,
    },
    mongodb: { uri: read.MONGODB_URI, database: read.MONGODB_DATABASE, credentials: read.MONGODB_CREDENTIALS },
    kafka,
  };
}

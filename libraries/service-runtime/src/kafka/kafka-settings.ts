import { z } from 'zod';
import { type Environment, field, readConfig } from '../config.ts';

/** What a service is told about Kafka. No secret is in it: the login comes from Vault. */
export interface KafkaSettings {
  /** `host:port` */
  readonly brokers: readonly string[];
  /** The authority of the brokers' certificates, PEM; read anew for each connection. Undefined: the system's. */
  readonly caFile: string | undefined;
  readonly groupId: string;
  /** Of a value, in both directions. The default lies below what a broker takes by default, with its headers. */
  readonly maxMessageBytes: number;
  /** After how long a silent member of the group loses its partitions. */
  readonly sessionTimeoutMs: number;
}

const broker = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:,]+):\d{1,5}$/, 'must be host:port, separated by commas');
const notRead = z.undefined('is not read: the login comes from Vault and is replaced while the service runs');

const environment = z.object({
  KAFKA_BOOTSTRAP_SERVERS: z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(broker).min(1)),
  KAFKA_SECURITY_PROTOCOL: z.literal('SASL_SSL', 'must be SASL_SSL: a login is not sent without TLS').optional(),
  KAFKA_SASL_MECHANISM: z.literal('SCRAM-SHA-512', 'must be SCRAM-SHA-512').optional(),
  KAFKA_SASL_USERNAME: notRead.optional(),
  KAFKA_SASL_PASSWORD: notRead.optional(),
  KAFKA_ENABLE_AUTO_COMMIT: z.literal('false', 'must be false: a position is kept when its message is done').optional(),
  KAFKA_SSL_CA_LOCATION: field.text().optional(),
  KAFKA_CONSUMER_GROUP_ID: field.text().optional(),
  KAFKA_MAX_MESSAGE_BYTES: field.count({ min: 65_536, max: 100_000_000 }).default(1_000_000),
  KAFKA_SESSION_TIMEOUT_SECONDS: field.seconds({ min: 6, max: 300 }).default(10),
});

/**
 * The variables above, under the names of the original system where it has one.
 * @throws ConfigError with every problem
 */
export function kafkaSettings(
  { groupId }: { readonly groupId: string },
  env: Environment = process.env,
): KafkaSettings {
  const read = readConfig(environment, env);
  return {
    brokers: read.KAFKA_BOOTSTRAP_SERVERS,
    caFile: read.KAFKA_SSL_CA_LOCATION,
    groupId: read.KAFKA_CONSUMER_GROUP_ID ?? groupId,
    maxMessageBytes: read.KAFKA_MAX_MESSAGE_BYTES,
    sessionTimeoutMs: read.KAFKA_SESSION_TIMEOUT_SECONDS * 1_000,
  };
}

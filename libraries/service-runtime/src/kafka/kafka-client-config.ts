import { readFileSync } from 'node:fs';
import type { Logger } from '@neural-hive/security/common';
import type { RotatingKafkaConfig } from '@neural-hive/security/kafka';
import type { KafkaSettings } from './kafka-settings.ts';

/** Of kafkajs: what it calls an error. */
const ERROR_LEVEL = 1;
const WARN_LEVEL = 2;

/** Everything of a kafkajs client but its login. */
export function kafkaClientConfig(
  { brokers, caFile }: Pick<KafkaSettings, 'brokers' | 'caFile'>,
  { clientId, logger }: { readonly clientId: string; readonly logger: Logger },
): RotatingKafkaConfig {
  return {
    clientId,
    brokers: [...brokers],
    // kafkajs copies these at each connection, so that a new authority counts from the next one on.
    ssl:
      caFile === undefined
        ? true
        : {
            get ca() {
              return readFileSync(caFile);
            },
          },
    connectionTimeout: 10_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 8 },
    logLevel: WARN_LEVEL,
    // It calls errors what it repeats by itself, such as a broker that is away for a moment.
    logCreator:
      () =>
      ({ namespace, level, log }) => {
        const fields = { kafka: namespace, ...(log.error === undefined ? {} : { error: String(log.error) }) };
        if (level <= ERROR_LEVEL) logger.warn(fields, log.message);
        else logger.debug(fields, log.message);
      },
  };
}

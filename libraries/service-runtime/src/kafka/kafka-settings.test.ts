import { expect, test } from 'vitest';
import { ConfigError } from '../config.ts';
import { kafkaSettings } from './kafka-settings.ts';

const read = (env: Record<string, string>) => kafkaSettings({ groupId: 'workers' }, env);

test('only the brokers have to be named', () => {
  expect(read({ KAFKA_BOOTSTRAP_SERVERS: 'a.example:9092, [::1]:9093' })).toEqual({
    brokers: ['a.example:9092', '[::1]:9093'],
    caFile: undefined,
    groupId: 'workers',
    maxMessageBytes: 1_000_000,
    sessionTimeoutMs: 10_000,
  });
});

test.each([
  ['a broker without a port', { KAFKA_BOOTSTRAP_SERVERS: 'a' }, 'KAFKA_BOOTSTRAP_SERVERS'],
  ['no broker', {}, 'KAFKA_BOOTSTRAP_SERVERS: is required'],
  ['a login in the environment', { KAFKA_SASL_PASSWORD: 'secret-x' }, 'KAFKA_SASL_PASSWORD: is not read'],
  ['a listener without TLS', { KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT' }, 'must be SASL_SSL'],
  ['another mechanism', { KAFKA_SASL_MECHANISM: 'PLAIN' }, 'must be SCRAM-SHA-512'],
  ['positions that are kept too early', { KAFKA_ENABLE_AUTO_COMMIT: 'true' }, 'must be false'],
])('%s is refused, and no value is repeated', (_, env, problem) => {
  const reading = () => read({ ...('KAFKA_SASL_PASSWORD' in env ? { KAFKA_BOOTSTRAP_SERVERS: 'a:1' } : {}), ...env });
  expect(reading).toThrow(ConfigError);
  expect(reading).toThrow(problem);
  expect(reading).not.toThrow('secret-x');
});

import { expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, field, readConfig } from './config.ts';

const schema = z.object({
  GRPC_PORT: field.port().default(50051),
  VAULT_ADDRESS: field.text(),
  SPIFFE_VERIFY_PEER: field.flag().default(true),
  HEARTBEAT_TIMEOUT_SECONDS: field.seconds({ min: 1 }).default(120),
});

test('values are read as what they are, and defaults fill in for unset and empty ones', () => {
  const env = {
    GRPC_PORT: '0',
    VAULT_ADDRESS: 'https://v',
    HEARTBEAT_TIMEOUT_SECONDS: '',
    SPIFFE_VERIFY_PEER: 'false',
  };
  expect(readConfig(schema, env)).toEqual({
    GRPC_PORT: 0,
    VAULT_ADDRESS: 'https://v',
    SPIFFE_VERIFY_PEER: false,
    HEARTBEAT_TIMEOUT_SECONDS: 120,
  });
});

test('every problem is reported at once, by name and without the value', () => {
  const env = { GRPC_PORT: 'hunter2', SPIFFE_VERIFY_PEER: 'yes', HEARTBEAT_TIMEOUT_SECONDS: '0.1' };
  const error = problemOf(() => readConfig(schema, env));
  expect(error.problems).toHaveLength(4);
  expect(error.problems.join('\n')).toMatch(/^GRPC_PORT: must be a whole number$/m);
  expect(error.problems.join('\n')).toMatch(/^VAULT_ADDRESS: is required and not set$/m);
  expect(error.problems.join('\n')).toMatch(/^SPIFFE_VERIFY_PEER: /m);
  expect(error.problems.join('\n')).toMatch(/^HEARTBEAT_TIMEOUT_SECONDS: /m);
  expect(error.message).not.toContain('hunter2');
});

test.each(['65536', '-1', '1e3', ' 1', '1.5'])('%s is no port', (value) => {
  expect(() => readConfig(z.object({ PORT: field.port() }), { PORT: value })).toThrow(ConfigError);
});

function problemOf(read: () => unknown): ConfigError {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

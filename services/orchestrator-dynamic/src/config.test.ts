import { ConfigError } from '@neural-hive/service-runtime';
import { describe, expect, test } from 'vitest';
import { orchestratorConfig } from './config.ts';

const least = { POSTGRES_HOST: '/run/pg', SERVICE_REGISTRY_HOST: 'localhost' };

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    orchestratorConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

describe('orchestratorConfig', () => {
  test('takes the names of the original system, with its defaults', () => {
    expect(orchestratorConfig(least)).toMatchObject({
      leewaySeconds: 30,
      vault: { authMethod: 'kubernetes', role: 'orchestrator-dynamic', kvMount: 'secret' },
      postgres: { database: 'neural_hive', port: 5_432 },
      registry: { address: 'localhost:50051', windowMs: 10_000 },
    });
  });

  test('gives tokens no leeway where all hops share one clock', () => {
    expect(orchestratorConfig({ ...least, ENVIRONMENT: 'development' }).leewaySeconds).toBe(0);
  });

  test('asks for TLS to a database that is not behind a socket', () => {
    expect(orchestratorConfig(least).postgres.tls).toBe(false);
    expect(orchestratorConfig({ ...least, POSTGRES_HOST: 'db' }).postgres.tls).toBe(true);
  });

  test('lists every problem at once', () => {
    const problems = problemsOf({ HTTP_PORT: '99999', VAULT_AUTH_METHOD: 'approle', SERVICE_REGISTRY_HOST: 'x' });
    expect(problems.map((line) => line.split(':')[0])).toEqual(['HTTP_PORT', 'VAULT_AUTH_METHOD', 'POSTGRES_HOST']);
  });

  test.each([
    ['VAULT_FAIL_OPEN', 'true'],
    ['VAULT_ENABLED', 'false'],
    ['SPIFFE_ENABLED', 'false'],
  ])('refuses %s=%s: nothing runs on static credentials', (name, value) => {
    expect(problemsOf({ ...least, [name]: value })).toHaveLength(1);
  });
});

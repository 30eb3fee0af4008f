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
      security: {
        spiffe: { leewaySeconds: 30 },
        vault: { login: { method: 'kubernetes', role: 'orchestrator-dynamic' }, mounts: { kv: 'secret' } },
      },
      postgres: { database: 'neural_hive', port: 5_432 },
      registry: { address: 'localhost:50051', windowMs: 10_000 },
    });
  });

  test('asks for TLS to a database that is not behind a socket', () => {
    expect(orchestratorConfig(least).postgres.tls).toBe(false);
    expect(orchestratorConfig({ ...least, POSTGRES_HOST: 'db' }).postgres.tls).toBe(true);
  });

  test('lists every problem at once', () => {
    const problems = problemsOf({ HTTP_PORT: '99999', VAULT_AUTH_METHOD: 'approle', SERVICE_REGISTRY_HOST: 'x' });
    expect(problems.map((line) => line.split(':')[0])).toEqual([
      'HTTP_PORT',
      'POSTGRES_HOST',
      'VAULT_ROLE_ID',
      'VAULT_SECRET_ID_PATH',
    ]);
  });

  test('reads who has which role, and refuses what is no SPIFFE ID', () => {
    const operator = 'spiffe://neural-hive.local/operator';
    expect(orchestratorConfig(least).roles).toMatchObject({ submit: [operator], approve: [operator] });
    const API_APPROVERS = 'spiffe://neural-hive.local/a, spiffe://neural-hive.local/b';
    expect(orchestratorConfig({ ...least, API_APPROVERS }).roles.approve).toEqual(API_APPROVERS.split(', '));
    expect(problemsOf({ ...least, API_READERS: 'operator' })).toEqual([expect.stringMatching(/^API_READERS: /)]);
  });

  test('item 33: refuses to fail open in production', () => {
    expect(problemsOf({ ...least, VAULT_FAIL_OPEN: 'true', ENVIRONMENT: 'development' })).toEqual([]);
    expect(problemsOf({ ...least, VAULT_FAIL_OPEN: 'true' })).toHaveLength(1);
  });
});

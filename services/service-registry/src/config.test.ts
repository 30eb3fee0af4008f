import { expect, test } from 'vitest';
import { registryConfig } from './config.ts';

const REDIS = { REGISTRY_STORE: 'redis', REDIS_HOST: 'redis.example' };

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    registryConfig(env);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

test('by default agents are in memory, and Vault is asked for nothing', () => {
  expect(registryConfig({}).store).toEqual({ kind: 'memory', journalPath: undefined });
  expect(registryConfig({ REGISTRY_JOURNAL_FILE: '/j' }).store).toEqual({ kind: 'memory', journalPath: '/j' });
});

test('Redis is reached with a login that is leased, by the names of the platform', () => {
  expect(registryConfig(REDIS).store).toMatchObject({
    kind: 'redis',
    place: { host: 'redis.example', port: 6_379, caFile: undefined },
    login: { method: 'kubernetes', mount: 'kubernetes', role: 'service-registry' },
  });
  expect(registryConfig({ ...REDIS, VAULT_AUTH_METHOD: 'jwt' }).store).toMatchObject({
    login: { method: 'jwt', mount: 'jwt', role: 'service-registry', audience: 'vault.neural-hive.local' },
  });
});

test('what would do without a leased login is refused, all of it at once', () => {
  expect(problemsOf({ REGISTRY_STORE: 'redis' }).join()).toContain('REDIS_HOST: is required');
  expect(problemsOf({ ...REDIS, VAULT_ENABLED: 'false' }).join()).toContain('VAULT_ENABLED: must be true');
  const several = problemsOf({
    REGISTRY_STORE: 'redis',
    ENVIRONMENT: 'test',
    VAULT_FAIL_OPEN: 'true',
    VAULT_AUTH_METHOD: 'token',
    VAULT_TOKEN: 'secret-token',
  }).join();
  for (const name of ['REDIS_HOST', 'VAULT_FAIL_OPEN', 'VAULT_AUTH_METHOD']) expect(several).toContain(`${name}: `);
  expect(several).not.toContain('secret-token');
});

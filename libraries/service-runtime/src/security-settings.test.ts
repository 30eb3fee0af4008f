import { AUDIENCES, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { describe, expect, test } from 'vitest';
import { ConfigError } from './config.ts';
import { securitySettings } from './security-settings.ts';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    securitySettings('worker-agents', env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

describe('the security settings of a service', () => {
  test('have the defaults of the platform', () => {
    const { vault, spiffe, tokenCache } = securitySettings('worker-agents', {});
    expect(vault).toMatchObject({
      login: { method: 'kubernetes', role: 'worker-agents' },
      mounts: { kv: 'secret', database: 'database' },
      failOpen: false,
    });
    expect(spiffe).toMatchObject({ endpoint: 'unix:///run/spire/sockets/agent.sock', leewaySeconds: 30 });
    expect([spiffe.trustDomain.name, spiffe.issuer]).toEqual(['neural-hive.local', SPIFFE_ISSUER]);
    expect(tokenCache.strategy).toBe('lazy');
  });

  test('follow the variables of the library where these are set', () => {
    const { vault, spiffe, tokenCache } = securitySettings('worker-agents', {
      VAULT_AUTH_METHOD: 'jwt',
      SPIFFE_SOCKET_PATH: 'unix:///tmp/agent.sock',
      SECURITY_TOKEN_CACHE_STRATEGY: 'eager',
      VAULT_LEASE_JOURNAL_PATH: '/var/lib/leases',
    });
    expect(vault.login).toMatchObject({ method: 'jwt', role: 'worker-agents', audience: AUDIENCES.vault });
    expect(vault.leaseJournalFolder).toBe('/var/lib/leases');
    expect([spiffe.endpoint, tokenCache.strategy]).toEqual(['unix:///tmp/agent.sock', 'eager']);
    const { login } = securitySettings('worker-agents', { VAULT_AUTH_METHOD: 'jwt', SPIFFE_JWT_AUDIENCE: 'v' }).vault;
    expect(login).toMatchObject({ audience: 'v' });
  });

  test('give tokens no leeway where all hops share one clock', () => {
    expect(securitySettings('worker-agents', { ENVIRONMENT: 'development' }).spiffe.leewaySeconds).toBe(0);
    expect(securitySettings('worker-agents', { ENVIRONMENT: 'production' }).spiffe.leewaySeconds).toBe(30);
  });

  test('admit failing open outside production only', () => {
    const open = { VAULT_FAIL_OPEN: 'true' };
    expect(securitySettings('worker-agents', { ...open, ENVIRONMENT: 'development' }).vault.failOpen).toBe(true);
    for (const ENVIRONMENT of ['', 'production', 'prod', 'staging']) {
      expect(problemsOf({ ...open, ENVIRONMENT })).toEqual([expect.stringMatching(/^VAULT_FAIL_OPEN: is refused/)]);
    }
  });

  test.each(['VAULT_ENABLED', 'SPIFFE_ENABLED', 'SECURITY_ENABLE_VAULT', 'SECURITY_ENABLE_SPIFFE'])(
    'know no %s=false',
    (name) => {
      expect(problemsOf({ [name]: 'true' })).toEqual([]);
      expect(problemsOf({ [name]: 'false' })).toEqual([expect.stringMatching(`^${name}: must be true: `)]);
    },
  );

  test('tell every problem at once', () => {
    const env = { VAULT_ENABLED: 'no', VAULT_ADDRESS: 'vault', SPIFFE_TRUST_DOMAIN: 'A B', VAULT_MAX_RETRIES: '-1' };
    expect(problemsOf(env).map((line) => line.split(':')[0])).toEqual([
      'VAULT_ENABLED',
      'VAULT_ADDRESS',
      'VAULT_MAX_RETRIES',
      'SPIFFE_TRUST_DOMAIN',
    ]);
  });
});

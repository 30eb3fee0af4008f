import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Secret } from '../common/index.ts';
import { ConfigError } from './environment.ts';
import { SecurityConfig } from './security-config.ts';
import { variableTable } from './variable-table.ts';
import { VaultConfig } from './vault-config.ts';

function problemsOf(env: Record<string, string>, read: (env: Record<string, string>) => unknown = VaultConfig.fromEnv) {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('The environment was accepted');
}

const ROLE = { VAULT_KUBERNETES_ROLE: 'worker' };

test('a role is all that a service in a cluster has to name', () => {
  expect(VaultConfig.fromEnv(ROLE)).toEqual({
    enabled: true,
    address: 'https://vault.vault.svc.cluster.local:8200',
    ca: undefined,
    namespace: undefined,
    login: {
      method: 'kubernetes',
      mount: 'kubernetes',
      role: 'worker',
      tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    },
    mounts: { kv: 'secret', database: 'database', pki: 'pki' },
    requestTimeoutMs: 5_000,
    maxRetries: 3,
    failOpen: false,
    environment: 'production',
    leaseJournalFolder: undefined,
  });
});

test('every variable reaches its setting', () => {
  const read = VaultConfig.fromEnv({
    VAULT_ADDRESS: 'http://127.0.0.1:8200',
    VAULT_CA_BUNDLE: '/ca.pem',
    VAULT_TLS_VERIFY: 'true',
    VAULT_NAMESPACE: 'team',
    VAULT_AUTH_METHOD: 'jwt',
    VAULT_AUTH_MOUNT: 'jwt-a',
    VAULT_KUBERNETES_ROLE: 'worker',
    VAULT_TOKEN_PATH: '/token',
    VAULT_JWT_AUDIENCE: 'vault.example.org',
    SPIFFE_JWT_AUDIENCE: 'us.example.org',
    VAULT_MOUNT_KV: 'kv',
    VAULT_MOUNT_DATABASE: 'db/a',
    VAULT_MOUNT_PKI: 'ca',
    VAULT_TIMEOUT_SECONDS: '2.5',
    VAULT_MAX_RETRIES: '0',
    VAULT_FAIL_OPEN: 'true',
    VAULT_LEASE_JOURNAL_PATH: '/var/lib/leases',
    ENVIRONMENT: 'test',
  });
  expect(read).toEqual({
    enabled: true,
    address: 'http://127.0.0.1:8200',
    ca: { file: '/ca.pem' },
    namespace: 'team',
    login: { method: 'jwt', mount: 'jwt-a', role: 'worker', audience: 'vault.example.org', tokenFile: '/token' },
    mounts: { kv: 'kv', database: 'db/a', pki: 'ca' },
    requestTimeoutMs: 2_500,
    maxRetries: 0,
    failOpen: true,
    environment: 'test',
    leaseJournalFolder: '/var/lib/leases',
  });
});

describe('each way to log in', () => {
  test.each([
    [
      { VAULT_AUTH_METHOD: 'jwt', ...ROLE, SPIFFE_JWT_AUDIENCE: 'us' },
      { method: 'jwt', mount: 'jwt', role: 'worker', audience: 'us', tokenFile: undefined },
    ],
    [
      { VAULT_AUTH_METHOD: 'approle', VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's' },
      { method: 'approle', mount: 'approle', roleId: 'r', secretId: { text: new Secret('s') } },
    ],
    [
      { VAULT_AUTH_METHOD: 'approle', VAULT_ROLE_ID: 'r', VAULT_SECRET_ID_PATH: '/s' },
      { method: 'approle', mount: 'approle', roleId: 'r', secretId: { file: '/s' } },
    ],
    [
      { VAULT_AUTH_METHOD: 'token', VAULT_TOKEN: 't' },
      { method: 'token', token: new Secret('t') },
    ],
  ])('is read: %j', (env, login) => {
    expect(VaultConfig.fromEnv(env).login).toEqual(login);
  });

  test.each([
    [{}, ['VAULT_KUBERNETES_ROLE']],
    [{ VAULT_AUTH_METHOD: 'jwt' }, ['VAULT_KUBERNETES_ROLE', 'VAULT_JWT_AUDIENCE']],
    [{ VAULT_AUTH_METHOD: 'approle' }, ['VAULT_ROLE_ID', 'VAULT_SECRET_ID_PATH']],
    [{ VAULT_AUTH_METHOD: 'token' }, ['VAULT_TOKEN']],
  ])('needs what belongs to it: %j', (env, names) => {
    expect(problemsOf(env).map((problem) => problem.split(':')[0])).toEqual(names);
    expect(VaultConfig.fromEnv({ ...env, VAULT_ENABLED: 'false' }).enabled).toBe(false);
  });
});

test('every problem is reported at once, by name and without a secret', () => {
  const problems = problemsOf({
    VAULT_ADDRESS: 'http://vault.example.org',
    VAULT_TLS_VERIFY: 'false',
    VAULT_AUTH_METHOD: 'ldap',
    VAULT_MOUNT_KV: '/secret/',
    VAULT_TIMEOUT_SECONDS: 'hunter0',
    VAULT_MAX_RETRIES: '11',
    VAULT_TOKEN: 'hunter1',
    VAULT_SECRET_ID: 'hunter2',
    VAULT_SECRET_ID_PATH: '/s',
    VAULT_FAIL_OPEN: 'true',
  });
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'VAULT_ADDRESS',
    'VAULT_TLS_VERIFY',
    'VAULT_AUTH_METHOD',
    'VAULT_MOUNT_KV',
    'VAULT_TIMEOUT_SECONDS',
    'VAULT_MAX_RETRIES',
    'VAULT_FAIL_OPEN',
    'VAULT_SECRET_ID',
  ]);
  expect(problems.join()).not.toContain('hunter');
  expect(problemsOf({ ...ROLE, VAULT_ADDRESS: 'hunter3' }).join()).not.toContain('hunter');
});

describe('failing open', () => {
  const env = { ...ROLE, VAULT_FAIL_OPEN: 'true' };

  test.each(['development', 'dev', 'local', 'test'])('is admitted in %s', (ENVIRONMENT) => {
    expect(VaultConfig.fromEnv({ ...env, ENVIRONMENT }).failOpen).toBe(true);
    expect(problemsOf({ ...env, ENVIRONMENT, NODE_ENV: 'production' })).toEqual([
      expect.stringContaining('VAULT_FAIL_OPEN'),
    ]);
  });

  test.each(['production', 'prod', 'staging', 'Test', ''])('is refused in %j', (ENVIRONMENT) => {
    expect(problemsOf({ ...env, ENVIRONMENT })).toEqual([expect.stringContaining('VAULT_FAIL_OPEN')]);
  });
});

test('nothing that prints the configuration shows a secret', () => {
  const envs = [
    { VAULT_AUTH_METHOD: 'token', VAULT_TOKEN: 'hunter1' },
    { VAULT_AUTH_METHOD: 'approle', VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 'hunter2' },
  ];
  for (const read of envs.map((env) => SecurityConfig.fromEnv(env))) {
    expect(inspect(read, { depth: 9, showHidden: true })).toContain('[secret]');
    for (const shown of [inspect(read, { depth: 9, showHidden: true }), JSON.stringify(read), `${read}`]) {
      expect(shown).not.toContain('hunter');
    }
  }
});

describe('the whole', () => {
  test('is read from one environment', () => {
    const read = SecurityConfig.fromEnv({
      ...ROLE,
      SPIFFE_ENDPOINT_SOCKET: 'unix:///run/agent.sock',
      SECURITY_TOKEN_CACHE_STRATEGY: 'eager',
      SECURITY_TOKEN_CACHE_MAX_ENTRIES: '9',
      SECURITY_TOKEN_REFRESH_SHARE: '0.5',
    });
    expect(read.vault?.login.method).toBe('kubernetes');
    expect(read.spiffe?.endpoint).toBe('unix:///run/agent.sock');
    expect(read.tokenCache).toEqual({ strategy: 'eager', maxEntries: 9, refreshShare: 0.5 });
  });

  test('leaves out what is switched off, with its problems', () => {
    const off = { SECURITY_ENABLE_VAULT: 'false', SECURITY_ENABLE_SPIFFE: 'false' };
    expect(SecurityConfig.fromEnv({ ...off, VAULT_ADDRESS: 'nowhere', SPIFFE_TRUST_DOMAIN: 'A' })).toEqual({
      vault: undefined,
      spiffe: undefined,
      tokenCache: { strategy: 'lazy', maxEntries: 256, refreshShare: 0.8 },
    });
    expect(SecurityConfig.fromEnv({ VAULT_ENABLED: 'false' }).vault).toBeUndefined();
  });

  test('reports the problems of all parts at once', () => {
    const env = { VAULT_ADDRESS: 'nowhere', SPIFFE_TRUST_DOMAIN: 'A', SECURITY_TOKEN_REFRESH_SHARE: '1' };
    expect(problemsOf(env, SecurityConfig.fromEnv).map((problem) => problem.split(':')[0])).toEqual([
      'SECURITY_TOKEN_REFRESH_SHARE',
      'VAULT_ADDRESS',
      'VAULT_KUBERNETES_ROLE',
      'SPIFFE_TRUST_DOMAIN',
    ]);
  });
});

test('the documentation lists the variables as they are (vitest -u writes it anew)', async () => {
  const text = [
    '# Vault variables',
    '',
    '`VaultConfig.fromEnv` of `@neural-hive/security/config` reads these. An empty variable counts as unset; every problem',
    'is reported at once. This page is written from the schema by the test beside it.',
    '',
    variableTable(VaultConfig.schema),
    'When tokens and leases are renewed is drawn, so that a fleet does not ask in step: there is no variable for it, and',
    '`VAULT_TOKEN_RENEWAL_THRESHOLD` and `VAULT_DB_CREDENTIALS_RENEWAL_THRESHOLD` are not read.',
    '',
    '## All of security',
    '',
    '`SecurityConfig.fromEnv` reads the ones above, the [SPIFFE variables](spiffe-variables.md) and these.',
    '',
    variableTable(SecurityConfig.schema),
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../../../docs/reference/vault-variables.md');
});

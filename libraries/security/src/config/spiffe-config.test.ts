import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Secret } from '../common/index.ts';
import { openWithFallback, TrustDomain } from '../spiffe/index.ts';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { ConfigError } from './environment.ts';
import { SpiffeConfig } from './spiffe-config.ts';
import { variableTable } from './variable-table.ts';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    SpiffeConfig.fromEnv(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('The environment was accepted');
}

test('an empty environment is one without an agent, in production', () => {
  expect(SpiffeConfig.fromEnv({})).toEqual({
    endpoint: undefined,
    trustDomain: undefined,
    jwtAudience: undefined,
    issuer: undefined,
    leewaySeconds: 30,
    initialSyncTimeoutMs: 10_000,
    deniedGraceMs: 0,
    environment: 'production',
    fallback: undefined,
  });
});

test('every variable reaches its setting', () => {
  const read = SpiffeConfig.fromEnv({
    SPIFFE_ENDPOINT_SOCKET: 'unix:///run/agent.sock',
    SPIFFE_SOCKET_PATH: 'unix:///run/older.sock',
    SPIFFE_TRUST_DOMAIN: 'example.org',
    SPIFFE_JWT_AUDIENCE: 'us.example.org',
    SPIFFE_ISSUER: 'https://issuer.example.org',
    SPIFFE_JWT_LEEWAY_SECONDS: '0',
    SPIFFE_INITIAL_SYNC_TIMEOUT_SECONDS: '2.5',
    SPIFFE_DENIED_GRACE_SECONDS: '1',
    ENVIRONMENT: 'production',
    SPIFFE_ENVIRONMENT: 'test',
    SPIFFE_FALLBACK_ALLOWED: 'true',
    SPIFFE_ID: 'spiffe://example.org/a',
    SPIFFE_X509_SVID_PATH: '/svid',
    SPIFFE_X509_KEY: 'key',
    SPIFFE_JWT_TOKEN_PATH: '/token',
    SPIFFE_X509_BUNDLE_PATH: '/x509',
    SPIFFE_JWT_BUNDLE_PATH: '/jwt',
    SPIFFE_BUNDLE_MAP_PATH: '/map',
  });
  expect(read).toEqual({
    endpoint: 'unix:///run/agent.sock',
    trustDomain: TrustDomain.parse('example.org'),
    jwtAudience: 'us.example.org',
    issuer: 'https://issuer.example.org',
    leewaySeconds: 0,
    initialSyncTimeoutMs: 2_500,
    deniedGraceMs: 1_000,
    environment: 'test',
    fallback: {
      environment: 'test',
      id: 'spiffe://example.org/a',
      x509: { certificates: { file: '/svid' }, privateKey: { text: new Secret('key') } },
      jwt: { file: '/token' },
      x509Bundle: { file: '/x509' },
      jwtBundle: { file: '/jwt' },
      bundleMap: { file: '/map' },
    },
  });
  expect(SpiffeConfig.fromEnv({ SPIFFE_SOCKET_PATH: 'unix:///run/older.sock' }).endpoint).toBe(
    'unix:///run/older.sock',
  );
});

test('every problem is reported at once, by name and without a secret', () => {
  const problems = problemsOf({
    SPIFFE_ENDPOINT_SOCKET: 'http://agent',
    SPIFFE_TRUST_DOMAIN: 'Example.org',
    SPIFFE_JWT_LEEWAY_SECONDS: '121',
    SPIFFE_FALLBACK_ALLOWED: 'true',
    ENVIRONMENT: 'production',
    SPIFFE_ID: 'nobody',
    SPIFFE_X509_KEY: 'hunter2',
    SPIFFE_JWT_TOKEN: 'hunter3',
    SPIFFE_JWT_TOKEN_PATH: '/token',
  });
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'SPIFFE_ENDPOINT_SOCKET',
    'SPIFFE_TRUST_DOMAIN',
    'SPIFFE_JWT_LEEWAY_SECONDS',
    'SPIFFE_ID',
    'SPIFFE_JWT_TOKEN',
    'SPIFFE_X509_SVID_PATH',
    'SPIFFE_FALLBACK_ALLOWED',
  ]);
  expect(problems.join()).not.toContain('hunter');
});

describe('the fallback', () => {
  const env = { SPIFFE_FALLBACK_ALLOWED: 'true', SPIFFE_JWT_TOKEN: 'token' };

  test.each(['development', 'dev', 'local', 'test'])('is admitted in %s', (ENVIRONMENT) => {
    expect(SpiffeConfig.fromEnv({ ...env, ENVIRONMENT }).fallback?.environment).toBe(ENVIRONMENT);
  });

  test.each(['production', 'prod', 'staging', 'Test', ''])('is refused in %j', (ENVIRONMENT) => {
    expect(problemsOf({ ...env, ENVIRONMENT })).toEqual([expect.stringContaining('SPIFFE_FALLBACK_ALLOWED')]);
  });

  test('is what was asked for, and nothing by itself', () => {
    expect(SpiffeConfig.fromEnv({ ENVIRONMENT: 'test', SPIFFE_JWT_TOKEN: 'token' }).fallback).toBeUndefined();
    expect(problemsOf({ ENVIRONMENT: 'test', SPIFFE_FALLBACK_ALLOWED: 'yes' })).toHaveLength(1);
    expect(problemsOf({ ENVIRONMENT: 'test', SPIFFE_FALLBACK_ALLOWED: 'true' })).toEqual([
      expect.stringContaining('needs an SVID'),
    ]);
  });

  test('opens with what was read', async () => {
    const authority = CertificateAuthority.create('example.org');
    const id = 'spiffe://example.org/laptop';
    const token = authority.issueJwtSvid({ id, audience: 'us', ttlSeconds: 60 });
    const { fallback } = SpiffeConfig.fromEnv({ ...env, ENVIRONMENT: 'test', SPIFFE_ID: id, SPIFFE_JWT_TOKEN: token });
    if (fallback === undefined) throw new Error('There is no fallback');
    const source = await openWithFallback<never>(undefined, fallback);
    expect((await source.fetchJwtSvid({ audience: 'us' })).id.toString()).toBe(id);
    await source.close();
  });
});

test('nothing that prints the configuration shows a secret', () => {
  const read = SpiffeConfig.fromEnv({
    ENVIRONMENT: 'test',
    SPIFFE_FALLBACK_ALLOWED: 'true',
    SPIFFE_X509_SVID: 'hunter1',
    SPIFFE_X509_KEY: 'hunter2',
    SPIFFE_JWT_TOKEN: 'hunter3',
  });
  expect(inspect(read.fallback, { depth: 9, showHidden: true })).toContain('[secret]');
  for (const shown of [inspect(read, { depth: 9, showHidden: true }), JSON.stringify(read), `${read}`]) {
    expect(shown).not.toContain('hunter');
  }
});

test('the documentation lists the variables as they are (vitest -u writes it anew)', async () => {
  const text = [
    '# SPIFFE variables',
    '',
    '`SpiffeConfig.fromEnv` of `@neural-hive/security/config` reads these. An empty variable counts as unset; every problem',
    'is reported at once. This page is written from the schema by the test beside it.',
    '',
    variableTable(SpiffeConfig.schema),
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../../../docs/reference/spiffe-variables.md');
});
